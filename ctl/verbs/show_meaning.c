/* SPDX-License-Identifier: MIT */
/*
 * See show_meaning.h.
 */
#include "ctl/verbs/show_meaning.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/rows/loss.h"

/* A sentence as wide as the terminal; on a pipe one line. */
__attribute__((format(printf, 3, 4))) static void say(const struct show *show, FILE *stream, const char *format, ...) {
        va_list args;

        va_start(args, format);
        text_vprint_wrapped(stream, 0, render_width(&show->ctl->options), format, args);
        va_end(args);
}

static bool has_quality(const struct show *show, const char *quality) {
        for (size_t row = 0; row < show->spans->row_count; row++)
                if (!strcmp(table_text(show->spans, row, "quality"), quality))
                        return true;
        return false;
}

/* How far the numbers go: what is guessed, moved or missing in them. */
static void print_quality(const struct show *show, FILE *stream) {
        uint64_t migrated = show_sum(show, "migrated"), aborted = show_sum(show, "aborted");
        uint64_t refused = show_sum(show, "refused"), cycles = show_sum(show, "cycles");
        struct loss loss = {0};

        for (size_t row = 0; row < show->spans->row_count; row++) {
                size_t at;

                if (table_uint(show->spans, row, "refused") && show_process(show, row, &at))
                        loss_add(&loss, show->ps, at);
        }
        if (migrated)
                say(show, stream,
                    "%" PRIu64 " of %" PRIu64
                    " cycles ended on another thread than they began on: their counts are those of the thread that "
                    "began them, up to that thread's next span call.",
                    migrated, cycles);
        if (aborted)
                say(show, stream,
                    "%" PRIu64 " were open when their process or thread ended: their bytes are in the sums, and not in "
                    "the numbers per call.",
                    aborted);
        if (!loss.refused) /* no row of `ps` has them any more */
                loss.refused = refused;
        if (refused) {
                say(show, stream,
                    "%" PRIu64
                    " enters or opens were refused, since %s: what was allocated in them is lost, and not in "
                    "these sums.",
                    refused, loss_cause(&loss));
                say(show, stream, "To avoid this, %s.", loss_advice(&loss));
        }
        if (has_quality(show, "estimated"))
                say(show, stream,
                    "The numbers per call lack some calls, since too many spans were open at once, or the histogram "
                    "had no room. The sums have all calls.");
        if (has_quality(show, "mixed"))
                say(show, stream,
                    "Counts of other spans may be in these sums, and counts of this one in theirs: a thread left a "
                    "scope by a jump, or went on with another coroutine. `spanallocctl doctor` says what to do.");
}

/* Where parts of calls were refused, only of those of which nothing is missing. */
static int64_t net_to_tell(const struct show *show) {
        return show_sum(show, "refused") && show_sum(show, "calls") ? show_calls_net(show) : show_net(show);
}

bool show_may_grow_on(const struct show *show) {
        int64_t net = net_to_tell(show);

        return net > 0 && show_growth(show) >= net / 2;
}

/* A positive net of the spans is a leak only if their processes grow. */
static void say_growth(const struct show *show, int64_t net, const char *begin, FILE *stream) {
        bool are_several = show->spans->row_count > 1;
        const char *process = are_several ? "processes" : "process";
        int64_t growth = show_growth(show), of_calls = show_calls_net(show);
        uint64_t calls = show_sum(show, "calls");
        char a[FORMAT_MAX], per_call[FORMAT_MAX + 32] = "";

        /* As in the heading: of spans that have closed. */
        if (calls && of_calls > 0)
                snprintf(per_call, sizeof(per_call), ", about %s per call that closed",
                         format_bytes(a, (uint64_t)of_calls / calls));
        say(show, stream, "%s allocates %s more than it frees%s.", begin, format_bytes(a, (uint64_t)net), per_call);
        if (!show_may_grow_on(show)) {
                say(show, stream, "Its %s %s not grow by that: net %s in the same time.", process,
                    are_several ? "do" : "does", format_net_bytes(a, growth));
                say(show, stream,
                    "So the rest of the %s freed more than it allocated, perhaps blocks of this span, after its end.",
                    process);
        } else {
                say(show, stream, "Its %s grew by %s in the same time.", process, format_bytes(a, (uint64_t)growth));
                say(show, stream,
                    "What is kept may be in use on purpose, or be freed later, by another span or thread.");
                say(show, stream, "If the growth goes on, look at what the code of this span keeps.");
        }
}

/* What net means and what it does not.  Where parts of calls were refused, only by those of which nothing is missing. */
void show_meaning(const struct show *show, FILE *stream) {
        bool are_partial = show_sum(show, "refused") && show_sum(show, "calls");
        int64_t net = net_to_tell(show);
        const char *begin = are_partial ? "With its children, in calls of which no part was refused, it"
                                        : "With its children it";
        uint64_t since_ns = show->ctl->options.since_ns;
        char a[FORMAT_MAX];

        if (show_is_uncounted(show)) {
                print_quality(show, stream);
                return;
        }
        fputc('\n', stream);
        if (since_ns && show->spans->complete)
                fprintf(stream, "Over the last %s:\n", format_duration(a, since_ns));
        else if (since_ns)
                fputs("Since the process attached, or since the last reset:\n", stream);
        if (net > 0)
                say_growth(show, net, begin, stream);
        else if (net < 0)
                say(show, stream,
                    "%s frees %s more than it allocates: the blocks are from other spans, from outside of spans, or "
                    "older.",
                    begin, format_bytes(a, -(uint64_t)net));
        else
                say(show, stream, "%s frees as much as it allocates.", begin);
        print_quality(show, stream);
}
