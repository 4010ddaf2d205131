#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/top.h"

enum { ANSWER_TIMEOUT_MS = 3000 };
#define DELAY_NS UINT64_C(1000000000)

static volatile sig_atomic_t interrupted;

static void on_signal(int signal) {
        interrupted = 1;
}

bool top_interrupted(void) {
        return interrupted;
}

uint64_t top_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int connect_again(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct client_options client = {
                .socket = options->socket,
                .scope = ask_scope(options),
                .timeout_ms = ANSWER_TIMEOUT_MS,
        };

        return client_new(&top->ctl->client, &client, &top->error);
}

static int ask_all(struct top *top, struct table **ret_spans, struct table **ret_processes, struct table **ret_status) {
        struct client_params spans = ask_params(&top->ctl->options), processes = spans;
        struct client *client = top->ctl->client;
        int r;

        /* Sorted and limited here: what allocates fastest is known only after the answer. */
        spans.sort = NULL;
        spans.limit = 0;
        processes = (struct client_params){.pid = spans.pid, .unit = spans.unit};
        r = client_call(client, "status", NULL, ret_status, &top->error);
        if (r == 0)
                r = client_call(client, "ps", &processes, ret_processes, &top->error);
        if (r == 0)
                r = client_call(client, "spans", &spans, ret_spans, &top->error);
        return r;
}

int top_refresh(struct top *top) {
        struct table *spans = NULL, *processes = NULL, *status = NULL;
        int r = top->ctl->client ? 0 : connect_again(top);

        if (r == 0)
                r = ask_all(top, &spans, &processes, &status);
        if (r < 0) {
                top->ctl->client = client_free(top->ctl->client);
                top->connected = false;
                top_model_forget(top->model);
        } else {
                top->connected = true;
                r = top_model_feed(top->model, spans, processes, status);
                spans = NULL;
                if (r < 0)
                        top->error = (struct client_error){ENOMEM, CTL_FAILURE, "Out of memory."};
        }
        table_free(spans);
        table_free(processes);
        table_free(status);
        return r;
}

static int choose_sort(struct top *top) {
        const char *sort = top->ctl->options.sort;
        bool descending = sort && *sort == '-';
        int column = sort ? top_model_find_column(sort + descending) : TOP_ALLOC_RATE;

        if (column < 0)
                return ctl_fail(CTL_USAGE,
                                "top cannot sort by \"%s\"; it can by unit, pid, span, alloc_bytes_rate_10s, "
                                "alloc_count, alloc_bytes, net_bytes, open, closed, per_call and quality.",
                                sort + descending);
        top_model_sort(top->model, (enum top_column)column);
        if (sort)
                top_model_set_descending(top->model, descending);
        return CTL_OK;
}

static int run(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
        int r = choose_sort(top);

        if (r != CTL_OK)
                return r;
        /* Without SA_RESTART, so that a wait ends; that a reader of the pipe left is seen where it is written. */
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        if (top_refresh(top) < 0)
                return ctl_fail(top->error.exit_code, "%s", top->error.text);
        if (!options->batch && !options->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
                r = top_screen(top);
                if (r != -ENOTTY)
                        return r;
        }
        return top_batch(top);
}

int verb_top(struct ctl *ctl, int argc, char **argv) {
        struct top top = {.ctl = ctl, .delay_ns = ctl->options.delay_ns ? ctl->options.delay_ns : DELAY_NS};
        int r = top_model_new(&top.model);

        if (r < 0)
                return ctl_fail(CTL_FAILURE, "Out of memory.");
        r = run(&top);
        top_model_free(top.model);
        return r;
}
