/* SPDX-License-Identifier: MIT */
/*
 * What the program, its deeds and the driver share: marks, the ledger, the deeds' table.
 *
 * The program is built twice: with spanalloc, and as `legal_plain` with SPANALLOC_DISABLE and no library.  Both do the same
 * and print the same.
 */
#pragma once

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LEGAL_ENTRIES 512
#define LEGAL_ERRNO   4077

/* A stop of the program at which the driver acts. */
enum legal_mark {
        MARK_READY = 1, /* warm, before the deed: the collector's state changes here */
        MARK_BEGIN,     /* one operation follows: the driver delivers SIGUSR1 inside it */
        MARK_END,
        MARK_WORKED, /* all work is done: `ps` is read here */
};

/* What one process did.  In a shared file: a sandbox needs no system call to write it, and a death keeps it. */
struct legal_entry {
        volatile int32_t pid;
        volatile int32_t is_child;
        volatile uint64_t alloc_count, alloc_bytes, dealloc_count, dealloc_bytes;
        volatile uint64_t before, after; /* scopes of these names, opened and closed */
        volatile uint64_t after_bytes;   /* allocated in scopes named "after" */
        volatile uint64_t handled;
        volatile uint64_t errno_changed;
        volatile int32_t attached, attach_error; /* spanalloc_stats() at the end */
        volatile uint64_t attempts, nested, refused_threads;
        volatile uint64_t locked_kib;
        volatile uint64_t done; /* reached its end */
};

struct legal_ledger {
        _Atomic uint32_t used;
        struct legal_entry entries[LEGAL_ENTRIES];
};

extern struct legal_ledger *ledger;
extern struct legal_entry *mine;
extern volatile bool traced;    /* marks stop this process */
extern volatile bool is_forked; /* a child: it ends at MARK_END */
extern volatile bool is_inside; /* the deed runs in a handler that came within a call or within malloc */
extern volatile bool is_in_malloc;
extern bool may_sleep; /* after the deed */
extern int exit_call;  /* by which the program ends */
extern int variant;    /* each run of a cell has another one */
extern char **legal_argv;
extern sigjmp_buf legal_jump;

void say(const char *text);
void say_number(const char *text, long number);
void new_entry(void);   /* in a child */
void work(int times);   /* scopes named "after", with blocks; no other system call than malloc's own */
void settle(int times); /* scopes that nothing is held against */
void look_at_stats(void);
void end_child(void);
void *take(size_t bytes); /* malloc and free, into the ledger */
void drop(void *block);
void finish(void); /* work, stats, MARK_WORKED */

struct deed {
        const char *name;
        void (*run)(void);
        void (*after)(void); /* when all else is done */
        bool is_once;        /* a process does it once */
        bool in_thread;
};
extern const struct deed deeds[];

/* sandbox.c */
void deed_seccomp(void);
void deed_strict(void);
void after_strict(void);
void after_seccomp(void);
