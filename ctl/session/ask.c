/* SPDX-License-Identifier: MIT */
/*
 * Requests as a verb makes them, and answers printed as documents.  The protocol is in query/.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/output/view.h"
#include "ctl/rows/counting.h"
#include "ctl/session/ask.h"

struct client_params ask_params(const struct options *options) {
        return (struct client_params){
                .pid = (pid_t)options->pid,
                .unit = options->unit,
                .filter = options->filter,
                .sort = options->sort,
                .limit = options->limit,
                .since_ns = options->since_ns,
        };
}

enum client_scope ask_scope(const struct options *options) {
        if (options->user)
                return CLIENT_USER;
        return options->system ? CLIENT_SYSTEM : CLIENT_ANY;
}

const char *ask_columns(const struct options *options, const struct view_column *view, size_t n_view,
                        char buf[COLUMNS_TEXT_MAX]) {
        size_t n = options->n_columns ? options->n_columns : n_view, used = 0;

        *buf = '\0';
        for (size_t i = 0; i < n; i++) {
                const char *name = options->n_columns ? options->columns[i] : view[i].name;

                used += (size_t)snprintf(buf + used, COLUMNS_TEXT_MAX - used, "%s%s", i ? "," : "", name);
                if (used >= COLUMNS_TEXT_MAX)
                        return NULL;
        }
        return buf;
}

int ask_connect(struct ctl *ctl) {
        struct client_options options = {
                .socket = ctl->options.socket,
                .scope = ask_scope(&ctl->options),
                .program = ASK_PROGRAM,
        };
        struct client_error error;

        if (ctl->client)
                return CTL_OK;
        if (client_new(&ctl->client, &options, &error) < 0)
                return ctl_fail_client(&error);
        return CTL_OK;
}

int ask_table(struct ctl *ctl, const char *method, const struct client_params *params, struct table **ret) {
        struct client_error error;
        int r = ask_connect(ctl);

        if (r != CTL_OK)
                return r;
        if (client_call(ctl->client, method, params, ret, &error) < 0)
                return ctl_fail_client(&error);
        return CTL_OK;
}

int ask_pid_known(struct ctl *ctl) {
        struct client_params params = {.pid = (pid_t)ctl->options.pid};
        struct table *table = NULL;
        size_t rows;
        int r;

        if (!ctl->options.pid)
                return CTL_OK;
        r = ask_table(ctl, "ps", &params, &table);
        if (r != CTL_OK)
                return r;
        rows = table->row_count;
        table_free(table);
        if (rows)
                return CTL_OK;
        return ctl_fail(CTL_NOT_FOUND,
                        "the collector has no process %" PRIu64 "; `spanallocctl ps` lists those that it has",
                        ctl->options.pid);
}

static int by_number(const void *left, const void *right) {
        const uint64_t *a = left, *b = right;

        return (*a > *b) - (*a < *b);
}

static void hide(struct table *table, const uint64_t *numbers, size_t count) {
        for (size_t row = 0; row < table->row_count; row++) {
                uint64_t process = table_uint(table, row, "process");

                if (bsearch(&process, numbers, count, sizeof(process), by_number))
                        counting_hide(table, row);
        }
}

int ask_hide_uncounted(struct ctl *ctl, struct table *table) {
        struct client_params params = {
                .pid = (pid_t)ctl->options.pid, .unit = ctl->options.unit, .columns = "process,counting"};
        struct table *ps = NULL;
        uint64_t *numbers;
        size_t count = 0;
        int r = ask_table(ctl, "ps", &params, &ps);

        if (r != CTL_OK)
                return r;
        numbers = calloc(ps->row_count + 1, sizeof(*numbers));
        for (size_t row = 0; numbers && row < ps->row_count; row++)
                if (counting_is_missing(table_text(ps, row, "counting")))
                        numbers[count++] = table_uint(ps, row, "process");
        if (numbers) {
                qsort(numbers, count, sizeof(*numbers), by_number);
                hide(table, numbers, count);
        }
        table_free(ps);
        free(numbers);
        return numbers ? CTL_OK : ctl_fail(CTL_FAILURE, "out of memory");
}

int ask_printed(int r) {
        return r < 0 ? ctl_fail(CTL_FAILURE, "cannot write the answer: %s", strerror(-r)) : CTL_OK;
}

int ask_print_row(const struct ctl *ctl, const char *key, const struct table *table) {
        struct json *json = NULL;
        int r = json_new(&json, table->time_ns ? table->time_ns : clock_realtime_ns(), true);

        if (r == 0)
                r = json_add_row(json, key, table, 0, NULL);
        if (r == 0)
                r = json_print(json, stdout, ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

int ask_print_json(const struct ctl *ctl, const char *key, const struct table *table) {
        struct json_columns columns = {ctl->options.columns, ctl->options.n_columns};
        struct json *json = NULL;
        int r = json_new(&json, table->time_ns, table->complete);

        if (r == 0)
                r = json_add_table(json, key, table, &columns);
        if (r == 0)
                r = json_print(json, stdout, ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

int ask_flush(FILE *stream) {
        return ask_printed(fflush(stream) == EOF || ferror(stream) ? -EIO : 0);
}
