/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: which method is asked for, by whom, and the frame around its result or error.
 *
 * The message comes from a stranger.  What is not in the form of a request ends the connection; a request that is
 * mistaken gets an error that says how.
 */
#include "daemon/query/query.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/loop/reactor.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

#define HINT_VERSION "install spanallocd and spanallocctl of the same version"

static void end_job(struct query *query);

int query_new(struct query **ret, struct collector *collector) {
        struct query *query;

        query = calloc(1, sizeof(*query));
        if (!query)
                return -ENOMEM;

        query->collector = collector;
        query->answer = clock_realtime_ns();
        query_follow_init(query);
        *ret = query;
        return 0;
}

struct query *query_free(struct query *query) {
        if (!query)
                return NULL;

        end_job(query);
        query_follow_deinit(query);
        query_release(query);
        free(query);
        return NULL;
}

void query_lend(struct query *query, struct wire_buffer *out) {
        if (out->data)
                return;
        out->data = query->spare.data;
        out->allocated = query->spare.allocated;
        query->spare = (struct wire_buffer){0};
}

void query_take_back(struct query *query, struct wire_buffer *out) {
        if (out->allocated > query->spare.allocated && out->allocated <= QUERY_KEEP) {
                wire_buffer_deinit(&query->spare);
                query->spare.data = out->data;
                query->spare.allocated = out->allocated;
                *out = WIRE_BUFFER_INIT(out->limit);
        }
        wire_buffer_consume(out, out->size);
        if (!query->job.owner && query->unsorted.allocated > QUERY_KEEP)
                wire_buffer_deinit(&query->unsorted);
}

void query_release(struct query *query) {
        wire_buffer_deinit(&query->spare);
        wire_buffer_deinit(&query->unsorted);
}

void query_count_error(struct query *query) {
        query->errors++;
}

void query_count_limited(struct query *query) {
        query->limited++;
}

bool query_is_late(const struct query *query) {
        return query->job.is_sliced && reactor_slice_is_over(query->job.end_ns);
}

void query_check_books(const struct process *process) {
        char why[160];

        if (!BOOKS_ARE_CHECKED || !process->books)
                return;
        if (books_check(process->books, why, sizeof(why)) &&
            (!process->drain || process->counting != SHM_COUNTING_MALLOC ||
             drain_check(process->drain, why, sizeof(why))))
                return;

        fprintf(stderr, "spanalloc: the books of process %llu do not balance: %s\n",
                (unsigned long long)process->number, why);
        abort();
}

int query_fail(struct query_error *ret, int code, const char *hint, const char *format, ...) {
        va_list args;

        ret->code = code;
        snprintf(ret->hint, sizeof(ret->hint), "%s", hint);
        va_start(args, format);
        vsnprintf(ret->message, sizeof(ret->message), format, args);
        va_end(args);
        return -code;
}

const char *query_quote(struct wire_value text, char *buf, size_t size) {
        const char *bytes = "";
        size_t length = 0, n = 0;

        wire_get_text(text, &bytes, &length);
        if (length > size - 1)
                length = size - 1;
        for (; n < length; n++)
                buf[n] = isprint((unsigned char)bytes[n]) ? bytes[n] : '?';
        buf[n] = 0;
        return buf;
}

/* ---------------------------------------------------------------------------------------------------- methods -- */

static int method_hello(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error) {
        if (!(params->given & QUERY_PARAM_PROTOCOL))
                return query_fail(ret_error, EPROTO, HINT_VERSION, "hello has no protocol number");
        if (params->protocol != WIRE_PROTOCOL)
                return query_fail(ret_error, EPROTO, HINT_VERSION,
                                  "the collector has protocol %u, the client has protocol %llu", WIRE_PROTOCOL,
                                  (unsigned long long)params->protocol);

        wire_put_map(out, 3);
        wire_put_text(out, "protocol");
        wire_put_uint(out, WIRE_PROTOCOL);
        wire_put_text(out, "version");
        wire_put_text(out, SPANALLOC_VERSION);
        wire_put_text(out, "schema");
        wire_put_uint(out, WIRE_SCHEMA);
        return 0;
}

static int method_reset(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error) {
        if (!peer->sees_all)
                return query_fail(ret_error, EPERM, "ask as root or as a member of the group spanalloc",
                                  "reset needs the right to see all processes");

        while (!collector_reset_some(query->collector, &query->job.next, &query->job.reset))
                if (query_is_late(query))
                        return QUERY_AGAIN;
        wire_put_map(out, 1);
        wire_put_text(out, "processes");
        wire_put_uint(out, query->job.reset.count);
        return 0;
}

/* Sets the timing of the next process, where that is asked for.  0; -EOPNOTSUPP with `why`; -ESRCH: there is none. */
static int set_next_timing(const struct query *query, struct query_job *job, const struct query_peer *peer, char *why,
                           size_t size) {
        const struct process *process = collector_process(query->collector, job->next);
        int r;

        if (!process)
                return -ESRCH;
        job->next++;
        if (!process->drain || !query_params_select_process(&job->params, peer, process))
                return 0;
        r = collector_set_timing(query->collector, process, job->params.on, why, size);
        if (r < 0)
                return r;
        job->count++;
        job->timed = process;
        return 0;
}

/* A user who may see a process may turn timing on for it.  That costs the process some nanoseconds a call. */
static int method_timing(struct query *query, const struct query_peer *peer, const struct query_params *params,
                         struct wire_buffer *out, struct query_error *ret_error) {
        struct query_job *job = &query->job;
        char why[192] = "";
        int r;

        if (!(params->given & QUERY_PARAM_ON) || params->on > 1)
                return query_fail(ret_error, EINVAL, "1 turns timestamps on, 0 turns them off",
                                  "timing needs \"on\", 0 or 1");
        for (;;) {
                if (!job->timed) {
                        r = set_next_timing(query, job, peer, why, sizeof(why));
                        if (r == -EOPNOTSUPP)
                                return query_fail(ret_error, EOPNOTSUPP, "", "%s", why);
                        if (r < 0)
                                break;
                } else if (collector_refresh_one(query->collector, job->timed, &job->refreshing)) {
                        job->timed = NULL;
                }
                if (query_is_late(query))
                        return QUERY_AGAIN;
        }
        wire_put_map(out, 1);
        wire_put_text(out, "processes");
        wire_put_uint(out, job->count);
        return 0;
}

static const struct query_method {
        const char *name;
        query_method_fn fn;
        unsigned params;
        enum query_outcome outcome;
        bool is_of_now; /* Rows are refreshed first. */
} methods[] = {
        {"hello", method_hello, QUERY_PARAM_PROTOCOL | QUERY_PARAM_CLIENT, QUERY_GREETED, false},
        {"status", query_method_status, 0, QUERY_ANSWERED, true},
        {"ps", query_method_ps,
         QUERY_PARAMS_PROCESS | QUERY_PARAM_FILTER | QUERY_PARAM_SORT | QUERY_PARAM_LIMIT | QUERY_PARAM_COLUMNS,
         QUERY_ANSWERED, true},
        {"spans", query_method_spans,
         QUERY_PARAMS_PROCESS | QUERY_PARAM_SPAN | QUERY_PARAM_FILTER | QUERY_PARAM_SORT | QUERY_PARAM_LIMIT |
                 QUERY_PARAM_SINCE | QUERY_PARAM_COLUMNS | QUERY_PARAM_ANSWER,
         QUERY_ANSWERED, true},
        {"tree", query_method_tree, QUERY_PARAMS_PROCESS | QUERY_PARAM_FILTER | QUERY_PARAM_SINCE | QUERY_PARAM_COLUMNS,
         QUERY_ANSWERED, true},
        {"follow", query_method_follow, QUERY_PARAMS_PROCESS | QUERY_PARAM_FILTER, QUERY_FOLLOWS, false},
        {"reset", method_reset, 0, QUERY_ANSWERED, true},
        {"timing", method_timing, QUERY_PARAMS_PROCESS | QUERY_PARAM_ON, QUERY_ANSWERED, false},
};

static const struct query_method *find_method(struct wire_value name) {
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
                if (wire_text_is(name, methods[i].name))
                        return &methods[i];

        return NULL;
}

static int fail_unknown_method(struct query_error *ret_error, struct wire_value name) {
        char quoted[48];

        return query_fail(ret_error, ENOSYS, "the methods are hello, status, ps, spans, tree, follow, reset and timing",
                          "there is no method \"%s\"", query_quote(name, quoted, sizeof(quoted)));
}

/* --------------------------------------------------------------------------------------------------- dispatch -- */

/* Checks what is asked for, and begins [1, id, nil, result]. */
static int begin_job(struct query *query, const struct query_peer *peer, const struct query_call *call,
                     struct wire_buffer *out, struct query_error *ret_error) {
        struct query_job *job = &query->job;
        const struct query_method *method = find_method(call->method);
        int r;

        if (!peer->greeted && (!method || method->fn != method_hello))
                return query_fail(ret_error, EPROTO, "say hello first", "the first request must be hello");
        if (!method)
                return fail_unknown_method(ret_error, call->method);

        r = query_params_parse(&job->params, method->params, call->params, method->name, ret_error);
        if (r < 0)
                return r;

        job->method = method;
        collector_hold(query->collector, &job->next);
        job->mark = wire_begin(out);
        wire_put_array(out, 4);
        wire_put_uint(out, WIRE_MESSAGE_ANSWER);
        wire_put_uint(out, call->id);
        wire_put_nil(out);
        return 0;
}

/* One slice; in the end of the last one the frame is whole.  0, QUERY_AGAIN, or -errno with *out as it was before
 * begin_job(). */
static int go_on_with_job(struct query *query, const struct query_peer *peer, struct wire_buffer *out,
                          struct query_error *ret_error) {
        struct query_job *job = &query->job;
        int r;

        job->end_ns = reactor_slice_end();
        reactor_work(collector_reactor(query->collector), "refreshing");
        while (job->method->is_of_now && !job->is_fresh) {
                job->is_fresh = collector_refresh_some(query->collector, &job->next, &job->refreshing, peer->sees_all,
                                                       peer->uid);
                if (job->is_fresh)
                        job->next = 0;
                if (query_is_late(query))
                        return QUERY_AGAIN;
        }
        reactor_work(collector_reactor(query->collector), job->method->name);
        r = job->method->fn(query, peer, &job->params, out, ret_error);
        if (r == QUERY_AGAIN)
                return r;
        if (r < 0) {
                wire_cancel(out, job->mark);
                return r;
        }
        if (!out->error && out->size - job->mark - WIRE_HEADER > WIRE_ANSWER_MAX)
                out->error = -EMSGSIZE;

        r = wire_end(out, job->mark);
        return r == -EMSGSIZE ? query_fail(ret_error, EMSGSIZE, "ask for fewer rows: with a filter, or a limit",
                                           "the answer is longer than the protocol allows")
                              : r;
}

static void end_job(struct query *query) {
        query_rows_deinit(&query->job.rows);
        if (query->job.free_reading)
                query->job.free_reading(query->job.reading);
        free(query->job.unchanged);
        query->job = (struct query_job){.owner = NULL};
        collector_hold(query->collector, NULL);
}

void query_cancel(struct query *query, const void *owner) {
        if (owner && query->job.owner == owner)
                end_job(query);
}

static int put_error(uint64_t id, const struct query_error *error, struct wire_buffer *out) {
        const char *name = strerrorname_np(error->code);
        size_t mark;

        mark = wire_begin(out);
        wire_put_array(out, 4);
        wire_put_uint(out, WIRE_MESSAGE_ANSWER);
        wire_put_uint(out, id);
        wire_put_map(out, 4);
        wire_put_text(out, "code");
        wire_put_uint(out, (uint64_t)error->code);
        wire_put_text(out, "name");
        wire_put_text(out, name ? name : "EIO");
        wire_put_text(out, "message");
        wire_put_text(out, error->message);
        wire_put_text(out, "hint");
        wire_put_text(out, error->hint);
        wire_put_nil(out);
        return wire_end(out, mark);
}

int query_call_parse(struct query_call *ret, struct wire_document **ret_document, const void *message, size_t size) {
        struct wire_document *document;
        struct wire_value root;
        struct query_call call;
        const char *text;
        uint64_t kind;
        size_t length;
        int r;

        r = wire_document_new(&document, message, size, WIRE_REQUEST_VALUES);
        if (r < 0)
                return r == -ENOMEM ? r : -EPROTO;

        root = wire_root(document);
        call.method = wire_at(root, 2);
        call.params = wire_at(root, 3);
        if (wire_type(root) != WIRE_ARRAY || wire_count(root) != 4 || !wire_get_uint(wire_at(root, 0), &kind) ||
            kind != WIRE_MESSAGE_REQUEST || !wire_get_uint(wire_at(root, 1), &call.id) ||
            !wire_get_text(call.method, &text, &length)) {
                wire_document_free(document);
                return -EPROTO;
        }

        *ret = call;
        *ret_document = document;
        return 0;
}

static int answer(struct query *query, const struct query_peer *peer, const void *message, size_t size,
                  struct wire_buffer *out) {
        enum query_outcome outcome = QUERY_ANSWERED;
        struct query_job *job = &query->job;
        struct query_error error = {0};
        struct wire_document *document;
        struct query_call call;
        int r = 0;

        if (!job->method) {
                r = query_call_parse(&call, &document, message, size);
                if (r < 0) {
                        query->errors++;
                        end_job(query);
                        return r;
                }
                job->id = call.id;
                r = begin_job(query, peer, &call, out, &error);
                wire_document_free(document);
        }
        if (r == 0)
                r = go_on_with_job(query, peer, out, &error);
        if (r == QUERY_AGAIN)
                return QUERY_UNFINISHED;
        if (r < 0) {
                query->errors++;
                r = error.code > 0 ? put_error(job->id, &error, out) : r;
        } else {
                query->queries++;
                outcome = job->method->outcome;
        }
        end_job(query);
        return r < 0 ? r : (int)outcome;
}

int query_answer_some(struct query *query, const void *owner, const struct query_peer *peer, const void *message,
                      size_t size, struct wire_buffer *out) {
        struct query_job *job = &query->job;

        if (job->owner && job->owner != owner)
                return QUERY_BUSY;
        job->owner = owner;
        job->is_sliced = true;
        return answer(query, peer, message, size, out);
}

int query_answer(struct query *query, const struct query_peer *peer, const void *message, size_t size,
                 struct wire_buffer *out) {
        end_job(query);
        query->job.owner = query;
        return answer(query, peer, message, size, out);
}
