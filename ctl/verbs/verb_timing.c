/* SPDX-License-Identifier: MIT */
/*
 * timing on|off: whether programs write timestamps, from now on.
 */
#include <inttypes.h>
#include <string.h>

#include "ctl/session/ask.h"
#include "ctl/verbs/verbs.h"

static int print_text(const struct ctl *ctl, bool on, uint64_t n) {
        if (!ctl->options.no_legend)
                printf(on ? "%" PRIu64 " process%s timed from now on; `spanallocctl top` and `spanallocctl show NAME` "
                            "have the columns.\n"
                          : "%" PRIu64 " process%s timed no longer; what was timed stays.\n",
                       n, n == 1 ? " is" : "es are");
        return ask_flush(stdout);
}

int verb_timing(struct ctl *ctl, int argc, char **argv) {
        bool on = !strcmp(argv[0], "on");
        struct client_params params = {.pid = (pid_t)ctl->options.pid, .unit = ctl->options.unit, .on = &on};
        struct table *table = NULL;
        uint64_t n;
        int r;

        if (!on && strcmp(argv[0], "off"))
                return ctl_fail(CTL_USAGE, "timing must be on or off, not \"%s\"", argv[0]);
        r = ask_table(ctl, "timing", &params, &table);
        if (r != CTL_OK)
                return r;
        n = table_uint(table, 0, "processes");
        if (!n)
                r = ctl_fail(CTL_NOT_FOUND, "no running process%s; `spanallocctl ps` lists them",
                             params.pid || params.unit ? " matches" : " is attached");
        else if (ctl->options.json)
                r = ask_print_row(ctl, "timing", table);
        else
                r = print_text(ctl, on, n);
        table_free(table);
        return r;
}
