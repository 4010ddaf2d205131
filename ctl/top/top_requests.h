/* SPDX-License-Identifier: MIT */
/*
 * Within top: each request of a refresh.  Its answer is taken by top_refresh.c.
 */
#pragma once

#include "ctl/top/top_state.h"

/* Connects; the request is hello.  `wait`: for the answer, too.  0 or -errno with top->error filled, as all here. */
int top_request_hello(struct top *top, bool wait);
int top_request_timing(struct top *top);
int top_request_status(struct top *top);
int top_request_processes(struct top *top);
/* Only rows that changed, of columns in use. */
int top_request_rows(struct top *top);
int top_request_new_rows(struct top *top);
int top_request_whole_rows(struct top *top);
int top_request_details(struct top *top);
int top_request_details_tree(struct top *top);
/* True if the error may be of columns that a collector of an older build lacks: the same request comes again without them. */
bool top_request_is_lacking(struct top *top);
