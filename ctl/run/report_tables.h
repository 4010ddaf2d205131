/* SPDX-License-Identifier: MIT */
/*
 * The tables of the report of `run`, from the sums of report_fold.h.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "ctl/run/report_fold.h"

/* `width`: of the terminal; columns that do not fit are left out.  0: none.  0 or -errno. */
int report_table_processes(FILE *stream, const struct fold *fold, bool legend, size_t width);
int report_table_spans(FILE *stream, const struct fold *fold, bool legend, size_t width);
int report_table_threads(FILE *stream, const struct fold *fold, bool legend, size_t width);
