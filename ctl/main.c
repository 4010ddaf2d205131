/* SPDX-License-Identifier: MIT */
/*
 * spanallocctl: from a command line to a verb.  What a verb does is in ctl/verbs, ctl/top and ctl/run.
 */
#include <locale.h>
#include <stdio.h>

#include "base/files.h"
#include "ctl/output/format.h"
#include "ctl/run/run.h"
#include "ctl/session/ctl.h"
#include "ctl/session/fail.h"
#include "ctl/top/top.h"
#include "ctl/verbs/program.h"
#include "ctl/verbs/verbs.h"

static int (*const functions[VERB_COUNT])(struct ctl *ctl, int argc, char **argv) = {
        [VERB_STATUS] = verb_status, [VERB_PS] = verb_ps,           [VERB_SPANS] = verb_spans,
        [VERB_TREE] = verb_tree,     [VERB_SHOW] = verb_show,       [VERB_TOP] = verb_top,
        [VERB_FOLLOW] = verb_follow, [VERB_RUN] = verb_run,         [VERB_RESET] = verb_reset,
        [VERB_ENABLE] = verb_enable, [VERB_DISABLE] = verb_disable, [VERB_VERSION] = verb_version,
        [VERB_DOCTOR] = verb_doctor, [VERB_DEMO] = verb_demo,       [VERB_HELP] = verb_help,
        [VERB_TIMING] = verb_timing,
};

int main(int argc, char **argv) {
        struct ctl ctl = {0};
        char error[256];
        int r;

        ctl.closed_fds = open_standard_fds();
        /* Only characters: numbers are written the same everywhere. */
        setlocale(LC_CTYPE, "");
        if (options_parse(&ctl.options, argc, argv, error, sizeof(error)) < 0)
                return ctl_fail(CTL_USAGE, "%s", error);
        format_set_raw(ctl.options.raw);
        /* "VERB --help" is "help VERB", pager and all. */
        if (ctl.options.help) {
                char name[32], *words[] = {name, NULL};

                snprintf(name, sizeof(name), "%s", verbs[ctl.options.verb].name);
                return verb_help(&ctl, ctl.options.verb_given, words);
        }
        /* A running program cannot be attached to. */
        if (ctl.options.verb == VERB_RUN && ctl.options.pid)
                return program_cannot_attach(ctl.options.pid);
        r = functions[ctl.options.verb](&ctl, ctl.options.argc, ctl.options.argv);
        client_free(ctl.client);
        return r;
}
