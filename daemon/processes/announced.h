/* SPDX-License-Identifier: MIT */
/*
 * Programs that were announced with an exec, and have not attached.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct announced;
struct process;
struct processes;

int announced_new(struct announced **ret, struct processes *processes);
struct announced *announced_free(struct announced *announced);
/* `pid` is to run `path`; `spawned`: it was started a moment ago, and may have attached already. */
void announced_add(struct announced *announced, pid_t pid, pid_t parent, uid_t uid, const char *path, bool scrubbed,
                   bool spawned);
/* Adds the exec that a process left in its segment, since it may make no system call. */
void announced_hear(struct announced *announced, struct process *process);
/* It attached after all.  Whether it was announced. */
bool announced_drop(struct announced *announced, pid_t pid);
/* `pid` has ended (wait_status as wait(2)'s, -1: unknown).  Where a program was announced and did run, the row of
 * what ran before ends as exec, and the program gets one of its own; returns true then. */
bool announced_conclude(struct announced *announced, pid_t pid, int wait_status);
/* Makes rows of those that run on without having attached, in one slice.  False: it goes on at the next call. */
bool announced_tend(struct announced *announced, uint64_t now_ns);
bool announced_is_empty(const struct announced *announced);
