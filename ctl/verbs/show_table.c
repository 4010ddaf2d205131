/* SPDX-License-Identifier: MIT */
/*
 * See show_table.h.
 */
#include "ctl/verbs/show_table.h"

#include <stdio.h>

#include "ctl/session/ask.h"
#include "ctl/session/pager.h"

int show_table(const struct ctl *ctl, const struct table *table, const struct view_column *view, size_t n_view,
               const char *note) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        r = view_print(&ctl->options, table, view, n_view, pager.stream);
        if (note && *note && !ctl->options.no_legend)
                fprintf(pager.stream, "%s%s", table->row_count ? "\n" : "", note);
        if (r == 0)
                r = pager_show(&pager, &ctl->options);
        return ask_printed(r);
}
