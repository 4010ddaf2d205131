/* SPDX-License-Identifier: MIT */
/*
 * Shows an answer as a table, with a note below it, through the pager.  Which columns it has is for view.h.
 */
#pragma once

#include <stddef.h>

#include "ctl/output/view.h"
#include "ctl/session/ctl.h"

/* `note`: lines, or NULL.  An exit status. */
int show_table(const struct ctl *ctl, const struct table *table, const struct view_column *view, size_t n_view,
               const char *note);
