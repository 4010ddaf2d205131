/* SPDX-License-Identifier: MIT */
/*
 * The answer to a hello.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct collector;
struct newcomer;
struct process;
struct welcome;

/* Both descriptors are consumed: the client's connection, and its segment.  Sent at once, or when the store has the
 * descriptors. */
void welcome_newcomer(struct collector *collector, struct process *process, int fd, int memfd);
/* The client names the row `number` as its own.  True: it was answered to keep its segment. */
bool welcome_back(struct collector *collector, const struct newcomer *newcomer, uint64_t number, int fd);
/* Returns the next one that waits. */
struct welcome *welcome_free(struct welcome *welcome);
/* Sends the error alone. */
void welcome_reject(int fd, int error);
