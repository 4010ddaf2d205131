/* SPDX-License-Identifier: MIT */
/*
 * doctor: checks everything that counting needs, and prints what to do about each problem.
 */
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/session/ask.h"
#include "ctl/session/pager.h"
#include "ctl/verbs/doctor.h"
#include "ctl/verbs/verbs.h"

#define GROUP "spanalloc"

enum { INDENT = 17 /* of the text of a finding */, STRANGERS_MAX = 100 /* that are told of one by one */ };

static const char *const states[] = {[DOCTOR_OK] = "ok", [DOCTOR_NOTE] = "note", [DOCTOR_PROBLEM] = "problem"};

/* Whether the asker sees all processes, or only his own. */
static void check_group(struct doctor *doctor, const char *socket) {
        gid_t groups[256];
        int n = getgroups(256, groups);
        struct stat info;

        if (stat(socket, &info) < 0)
                return;
        if (geteuid() == 0 || geteuid() == info.st_uid) {
                doctor_add(doctor, "group", DOCTOR_OK, "%s may see all processes",
                           geteuid() == 0 ? "root" : "the collector's own user");
                return;
        }
        for (int i = 0; i < n; i++)
                if (groups[i] == info.st_gid) {
                        doctor_add(doctor, "group", DOCTOR_OK, "a member of the socket's group may see all processes");
                        return;
                }
        doctor_add(doctor, "group", DOCTOR_NOTE,
                   "not a member of the socket's group: only processes of uid %u are seen", (unsigned)geteuid());
        doctor_advise(doctor, "to see all: `adduser USER %s`, then log in again; or ask as root",
                      getgrnam(GROUP) ? GROUP : "GROUP");
}

static int check_socket(struct ctl *ctl, struct doctor *doctor, struct client_error *error) {
        struct client_options options = {
                .socket = ctl->options.socket, .scope = ask_scope(&ctl->options), .program = ASK_PROGRAM};
        char *split;

        if (client_new(&ctl->client, &options, error) == 0) {
                doctor_add(doctor, "socket", DOCTOR_OK, "a collector answers at %s", client_path(ctl->client));
                check_group(doctor, client_path(ctl->client));
                return CTL_OK;
        }
        /* The client's text: what happened; what to do. */
        split = strstr(error->text, "; ");
        doctor_add(doctor, "socket", DOCTOR_PROBLEM, "%.*s", split ? (int)(split - error->text) : 400, error->text);
        if (split)
                doctor_advise(doctor, "%s%s", split + 2, ctl_advice(error));
        return ctl_exit_of(error);
}

/* The soft limit of the collector's descriptors; 0: it is in another namespace, or may not be read. */
static uint64_t descriptor_limit(uint64_t pid) {
        unsigned long long limit = 0;
        char path[64], line[256], comm[32] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%" PRIu64 "/comm", pid);
        file = fopen(path, "re");
        if (!file)
                return 0;
        if (!fgets(comm, sizeof(comm), file))
                *comm = '\0';
        fclose(file);
        if (strncmp(comm, "spanallocd", 10) != 0)
                return 0;
        snprintf(path, sizeof(path), "/proc/%" PRIu64 "/limits", pid);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "Max open files %llu", &limit) == 1)
                        break;
        if (file)
                fclose(file);
        return limit;
}

static bool has_alive(const struct table *ps) {
        for (size_t row = 0; row < ps->row_count; row++)
                if (table_bool(ps, row, "alive"))
                        return true;
        return false;
}

static uid_t collector_uid(const struct ctl *ctl) {
        struct ucred cred = {.uid = (uid_t)-1};
        socklen_t size = sizeof(cred);

        (void)getsockopt(client_fd(ctl->client), SOL_SOCKET, SO_PEERCRED, &cred, &size);
        return cred.uid;
}

struct strangers {
        struct doctor *doctor;
        const struct table *ps;
        unsigned left;
};

static bool add_stranger(void *userdata, const struct program_facts *facts) {
        struct strangers *strangers = userdata;

        for (size_t row = 0; row < strangers->ps->row_count; row++)
                if (table_bool(strangers->ps, row, "alive") &&
                    table_uint(strangers->ps, row, "pid") == (uint64_t)facts->pid)
                        return true;
        /* It was told not to, or is none of this collector's. */
        if (facts->is_off || facts->socket_is_other)
                return true;
        doctor_program(strangers->doctor, facts);
        return --strangers->left > 0;
}

/* Programs in a filter that the collector has no row of: the library in them cannot say so. */
static void check_strangers(struct ctl *ctl, struct doctor *doctor, const struct table *ps) {
        struct strangers strangers = {doctor, ps, STRANGERS_MAX};

        program_each_in_filter(client_path(ctl->client), collector_uid(ctl), add_stranger, &strangers);
        if (!strangers.left)
                doctor_add(doctor, "program", DOCTOR_NOTE, "these are %d programs in filters, and there may be more",
                           STRANGERS_MAX);
}

/* Of --pid: a process that the collector does not know is looked into from here. */
static int check_program(struct ctl *ctl, struct doctor *doctor, const struct table *ps) {
        struct program_facts facts;

        if (has_alive(ps)) {
                doctor_processes(doctor, ps);
                return CTL_OK;
        }
        if (ctl->options.pid > INT_MAX ||
            program_look(&facts, (pid_t)ctl->options.pid, client_path(ctl->client), collector_uid(ctl)) < 0) {
                doctor_add(doctor, "program", DOCTOR_PROBLEM, "there is no process %" PRIu64, ctl->options.pid);
                return CTL_NOT_FOUND;
        }
        doctor_program(doctor, &facts);
        return CTL_OK;
}

static int ask_collector(struct ctl *ctl, struct doctor *doctor) {
        struct client_params params = {.pid = (pid_t)ctl->options.pid};
        struct table *status = NULL, *ps = NULL, *spans = NULL;
        int r = ask_table(ctl, "status", NULL, &status);

        if (r == CTL_OK)
                r = ask_table(ctl, "ps", &params, &ps);
        params.columns = "pid,span,quality";
        if (r == CTL_OK)
                r = ask_table(ctl, "spans", &params, &spans);
        if (r == CTL_OK) {
                doctor_collector(doctor, status, SPANALLOC_VERSION);
                doctor_descriptors(doctor, status, descriptor_limit(table_uint(status, 0, "pid")));
                if (ctl->options.pid)
                        r = check_program(ctl, doctor, ps);
                else {
                        doctor_processes(doctor, ps);
                        check_strangers(ctl, doctor, ps);
                }
                doctor_spans(doctor, spans);
        }
        table_free(status);
        table_free(ps);
        table_free(spans);
        return r;
}

static size_t problems(const struct doctor *doctor) {
        size_t n = 0;

        for (size_t i = 0; i < doctor->count; i++)
                n += doctor->findings[i].state == DOCTOR_PROBLEM;
        return n;
}

static int print_text(const struct ctl *ctl, const struct doctor *doctor) {
        static const char *const marks[] = {[DOCTOR_OK] = " ok ", [DOCTOR_NOTE] = "note", [DOCTOR_PROBLEM] = " !! "};
        size_t n = problems(doctor), width = render_width(&ctl->options);
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        for (size_t i = 0; i < doctor->count; i++) {
                const struct doctor_finding *f = &doctor->findings[i];

                fprintf(pager.stream, "[%s] %-9s ", marks[f->state], f->check);
                text_print_wrapped(pager.stream, f->text, INDENT, width);
                if (!*f->advice)
                        continue;
                fprintf(pager.stream, "%*s-> ", INDENT, "");
                text_print_wrapped(pager.stream, f->advice, INDENT + 3, width);
        }
        if (!ctl->options.no_legend)
                fprintf(pager.stream, n ? "%zu problem%s\n" : "No problems.\n", n, n == 1 ? "" : "s");
        return ask_printed(pager_show(&pager, &ctl->options));
}

static int print_json(const struct ctl *ctl, const struct doctor *doctor) {
        struct json *json = NULL;
        int r;

        r = json_new(&json, clock_realtime_ns(), !doctor->failed);
        if (r == 0)
                r = json_add_uint(json, NULL, "problems", problems(doctor));
        if (r == 0)
                r = json_add_array(json, "findings");
        for (size_t i = 0; i < doctor->count && r == 0; i++) {
                const struct doctor_finding *f = &doctor->findings[i];

                r = json_append_texts(json, "findings",
                                      (const char *const[]){"check", f->check, "state", states[f->state], "text",
                                                            f->text, "advice", f->advice, NULL});
        }
        if (r == 0)
                r = json_print(json, stdout, ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

int verb_doctor(struct ctl *ctl, int argc, char **argv) {
        struct doctor doctor = {0};
        struct client_error error;
        struct utsname name;
        int r, printed;

        if (uname(&name) == 0)
                doctor_kernel(&doctor, name.release);
        r = check_socket(ctl, &doctor, &error);
        if (r == CTL_OK)
                r = ask_collector(ctl, &doctor);
        if (r == CTL_OK && problems(&doctor))
                r = CTL_FAILURE;
        printed = ctl->options.json ? print_json(ctl, &doctor) : print_text(ctl, &doctor);
        doctor_deinit(&doctor);
        return printed != CTL_OK ? printed : r;
}
