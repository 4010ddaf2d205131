/* SPDX-License-Identifier: MIT */
/*
 * A program that steps itself: the processor's trap flag is set, and a handler of SIGTRAP runs before each instruction.
 */
#pragma once

#include <ucontext.h>

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define IS_STEPPED 1
/* Below the red zone, in which the compiler may keep something. */
#define SET_TRAP_FLAG(instruction, operand)                                                                            \
        __asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\t" instruction " " operand                               \
                         ", (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp" ::                                             \
                                 : "memory", "cc")
/* What the handler has interrupted is not stepped any further. */
#define STOP_STEPS(context) (((ucontext_t *)(context))->uc_mcontext.gregs[REG_EFL] &= ~0x100LL)
#else
#define STOP_STEPS(context)                 ((void)0)
#define IS_STEPPED                          0
#define SET_TRAP_FLAG(instruction, operand) ((void)0)
#endif
/* What is not optimised has far more instructions, and each jump steps through all before it. */
#ifdef __OPTIMIZE__
#define STRIDE 1
#else
#define STRIDE 7
#endif
#define BEGIN_STEPS() SET_TRAP_FLAG("orq", "$0x100")
#define END_STEPS()   SET_TRAP_FLAG("andq", "$~0x100")
