/* SPDX-License-Identifier: MIT */
/*
 * The work of a worker, and the spans around it.
 *
 *     job      one changelog, from file to index; begun by one worker, gone on with by the owner of its database
 *     query    one question to all databases; all workers are in it at the same time
 *
 * Each function is one stretch of work on one thread: it enters the span, does its part, and exits.  The last part
 * closes the span.
 */
#pragma once

#include "pool.h"

void job_begin(struct worker *worker, const char *file);
void job_go_on(struct worker *worker, struct job *job);
void query_begin(struct worker *worker);
void query_go_on(struct worker *worker, struct query *query);
