/* SPDX-License-Identifier: MIT */
/*
 * What a request asks for: its params, checked, and which processes and spans they select.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

static const struct param {
        const char *name;
        unsigned bit;
        bool text;
        size_t offset;
        size_t size; /* of a text, with its terminating zero */
} all_params[] = {
#define NUMBER(name_, bit_, member_)                                                                                   \
        { name_, bit_, false, offsetof(struct query_params, member_), sizeof(uint64_t) }
#define TEXT(name_, bit_, member_)                                                                                     \
        { name_, bit_, true, offsetof(struct query_params, member_), sizeof(((struct query_params *)0)->member_) }
        NUMBER("process", QUERY_PARAM_PROCESS, process),
        NUMBER("pid", QUERY_PARAM_PID, pid),
        TEXT("unit", QUERY_PARAM_UNIT, unit),
        TEXT("span", QUERY_PARAM_SPAN, span),
        TEXT("filter", QUERY_PARAM_FILTER, filter),
        TEXT("sort", QUERY_PARAM_SORT, sort),
        NUMBER("limit", QUERY_PARAM_LIMIT, limit),
        NUMBER("since_ns", QUERY_PARAM_SINCE, since_ns),
        NUMBER("protocol", QUERY_PARAM_PROTOCOL, protocol),
        TEXT("client", QUERY_PARAM_CLIENT, client),
        NUMBER("on", QUERY_PARAM_ON, on),
        NUMBER("since_answer", QUERY_PARAM_ANSWER, since_answer),
        TEXT("columns", QUERY_PARAM_COLUMNS, columns),
#undef NUMBER
#undef TEXT
};
#define PARAMS (sizeof(all_params) / sizeof(all_params[0]))

static const struct param *find_param(struct wire_value key) {
        for (size_t i = 0; i < PARAMS; i++)
                if (wire_text_is(key, all_params[i].name))
                        return &all_params[i];

        return NULL;
}

static int fail_unknown(struct query_error *ret_error, unsigned allowed, struct wire_value key, const char *method) {
        char hint[160] = "it takes none", quoted[48];
        size_t n = 0;

        for (size_t i = 0; i < PARAMS; i++)
                if (allowed & all_params[i].bit)
                        n += (size_t)snprintf(hint + n, sizeof(hint) - n, "%s%s", n > 0 ? ", " : "it takes ",
                                              all_params[i].name);

        return query_fail(ret_error, EINVAL, hint, "%s takes no \"%s\"", method,
                          query_quote(key, quoted, sizeof(quoted)));
}

static int parse_param(struct query_params *params, const struct param *param, struct wire_value value,
                       struct query_error *ret_error) {
        void *member = (char *)params + param->offset;

        if (params->given & param->bit)
                return query_fail(ret_error, EINVAL, "", "\"%s\" is given twice", param->name);
        if (param->text && !wire_copy_text(value, member, param->size))
                return query_fail(ret_error, EINVAL, "", "\"%s\" must be a text of at most %zu bytes", param->name,
                                  param->size - 1);
        if (!param->text && !wire_get_uint(value, member))
                return query_fail(ret_error, EINVAL, "", "\"%s\" must be a number from 0", param->name);

        params->given |= param->bit;
        return 0;
}

int query_params_parse(struct query_params *ret, unsigned allowed, struct wire_value map, const char *method,
                       struct query_error *ret_error) {
        struct query_params params = {0};
        int r;

        if (wire_type(map) != WIRE_MAP)
                return query_fail(ret_error, EINVAL, "", "the params of %s must be a map", method);

        for (uint32_t i = 0; i < wire_count(map); i++) {
                const struct param *param = find_param(wire_key_at(map, i));

                if (!param || !(allowed & param->bit))
                        return fail_unknown(ret_error, allowed, wire_key_at(map, i), method);

                r = parse_param(&params, param, wire_value_at(map, i), ret_error);
                if (r < 0)
                        return r;
        }

        *ret = params;
        return 0;
}

bool query_params_select_process(const struct query_params *params, const struct query_peer *peer,
                                 const struct process *process) {
        if (!peer->sees_all && process->uid != peer->uid)
                return false;
        if ((params->given & QUERY_PARAM_PROCESS) && process->number != params->process)
                return false;
        if ((params->given & QUERY_PARAM_PID) && (uint64_t)process->pid != params->pid)
                return false;
        if ((params->given & QUERY_PARAM_UNIT) && strcmp(process->unit, params->unit) != 0)
                return false;

        return true;
}

bool query_params_select_texts(const struct query_params *params, const struct process *process) {
        if (!(params->given & QUERY_PARAM_FILTER))
                return true;

        return strstr(process->comm, params->filter) || strstr(process->exe, params->filter) ||
               strstr(process->unit, params->filter);
}

bool query_params_select_path(const struct query_params *params, const char *name, const char *path) {
        if (!(params->given & QUERY_PARAM_FILTER))
                return true;

        return strstr(name, params->filter) || strstr(path, params->filter);
}

/* A thread may have given itself an empty name, and a client finds these rows by their thread. */
const char *query_outside_thread(const struct books *books, uint32_t index) {
        const char *name = books_thread_name(books, index);

        return name[0] ? name : "(no name)";
}

bool query_params_select_outside(const struct query_params *params, const struct books *books, uint32_t index) {
        char label[sizeof(WIRE_OUTSIDE " ") + SHM_COMM_BYTES];

        if (!(params->given & QUERY_PARAM_FILTER))
                return true;
        /* As a screen shows it. */
        snprintf(label, sizeof(label), WIRE_OUTSIDE " %s", query_outside_thread(books, index));
        return strstr(label, params->filter);
}
