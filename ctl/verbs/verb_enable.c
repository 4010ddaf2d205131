/* SPDX-License-Identifier: MIT */
/*
 * enable and disable: whether the programs of a systemd unit count, by a drop-in beside the unit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/output/json.h"
#include "ctl/run/run_preload.h"
#include "ctl/session/ask.h"
#include "ctl/unit/dropin.h"
#include "ctl/unit/unit_bus.h"
#include "ctl/verbs/program.h"
#include "ctl/verbs/verbs.h"
#include "daemon/host/elf_obstacle.h"
#include "query/client.h"

/* One unit, and what is known of it. */
struct subject {
        const struct options *options;
        char name[UNIT_NAME_MAX];
        struct dropin dropin;
        struct unit_bus *bus;
        struct unit_info info;
        struct unit_error error;
};

static int failed(const struct subject *subject) {
        return ctl_fail(subject->error.exit_status, "%s", subject->error.text);
}

/* Returns an exit code. */
static int subject_init(struct subject *ret, const struct ctl *ctl, const char *unit) {
        ret->options = &ctl->options;
        if (unit_name(ret->name, unit, &ret->error) < 0)
                return failed(ret);
        if (dropin_init(&ret->dropin, ret->name, ctl->options.user) < 0)
                return ctl_fail(CTL_FAILURE, "there is no directory for drop-ins of this user; set HOME");
        if (unit_bus_open(&ret->bus, ctl->options.user, &ret->error) < 0 ||
            unit_bus_look(ret->bus, ret->name, &ret->info, &ret->error) < 0)
                return failed(ret);
        return CTL_OK;
}

static int subject_deinit(struct subject *subject, int code) {
        subject->bus = unit_bus_free(subject->bus);
        return code;
}

static int no_file(const struct subject *subject, int r) {
        const char *path = subject->dropin.path;

        if (r == -EEXIST)
                return ctl_fail(CTL_FAILURE, "%s was not written by spanallocctl; read it, and remove it by hand",
                                path);
        if ((r == -EACCES || r == -EPERM) && !subject->options->user)
                return ctl_fail(CTL_FAILURE,
                                "no permission to change %s; run this as root, or with --user for a unit of yours",
                                path);
        return ctl_fail(CTL_FAILURE, "cannot change %s: %s", path, strerror(-r));
}

static bool is_running(const struct subject *subject) {
        return strcmp(subject->info.active_state, "inactive") && strcmp(subject->info.active_state, "failed");
}

/* The manager reads the change, and where it was asked for, the unit takes it over.  Returns an exit code. */
static int take_over(struct subject *subject, bool *ret_restarted) {
        *ret_restarted = false;
        if (unit_bus_reload(subject->bus, &subject->error) < 0)
                return failed(subject);
        if (!subject->options->now || !is_running(subject))
                return CTL_OK;
        if (unit_bus_restart(subject->bus, subject->name, &subject->error) < 0)
                return failed(subject);
        *ret_restarted = true;
        return CTL_OK;
}

/* `text` NULL: there is no drop-in any more. */
static int report(const struct subject *subject, const char *text, bool restarted) {
        const struct options *options = subject->options;
        struct json *json = NULL;
        int r;

        if (!options->json) {
                if (text)
                        printf("# %s\n%s", subject->dropin.path, text);
                else if (!options->no_legend)
                        printf("Removed %s.\n", subject->dropin.path);
                if (!options->no_legend)
                        printf("%s%s %s.\n", text ? "\n" : "", subject->name,
                               restarted             ? "was restarted"
                               : is_running(subject) ? "runs on as before until its next start; --now restarts it"
                                                     : "is not running; this holds from its next start on");
                return ask_flush(stdout);
        }
        r = json_new(&json, clock_realtime_ns(), true);
        if (r == 0)
                r = json_add_text(json, NULL, "unit", subject->name);
        if (r == 0)
                r = json_add_text(json, NULL, "path", subject->dropin.path);
        if (r == 0)
                r = json_add_text(json, NULL, "dropin", text ? text : "");
        if (r == 0)
                r = json_add_uint(json, NULL, "restarted", restarted);
        if (r == 0)
                r = json_print(json, stdout, options->json);
        json_free(json);
        return ask_printed(r);
}

/* ------------------------------------------------------------------------------------------------------ enable -- */

/* What would keep it from counting, though nothing forbids to try. */
static void warn(const struct subject *subject) {
        const struct unit_info *info = &subject->info;
        const char *obstacle = "";

        if (info->has_own_root)
                fprintf(stderr, "spanallocctl: %s has a root directory of its own; the library must be in there, too\n",
                        subject->name);
        else if (info->program[0] && elfinfo_obstacle(info->program, &obstacle) == 0 && obstacle[0])
                fprintf(stderr, "spanallocctl: %s will not be counted: it is %s; only programs that it starts can be\n",
                        info->program, obstacle);
        if (info->lacks_sockets)
                fprintf(stderr,
                        "spanallocctl: %s may not use sockets of AF_UNIX and will not reach the collector; add "
                        "RestrictAddressFamilies=AF_UNIX to it\n",
                        subject->name);
}

/* A sanitizer's run-time library ends the program where it does not come first. */
static bool is_broken_by_library(const struct subject *subject) {
        const char *obstacle;

        return !subject->info.has_own_root && subject->info.program[0] &&
               elfinfo_obstacle(subject->info.program, &obstacle) == 0 && !strcmp(obstacle, ELF_OBSTACLE_SANITIZER);
}

static void warn_of_filter(const struct subject *subject) {
        const struct unit_info *info = &subject->info;

        if (info->killing_call[0])
                fprintf(stderr,
                        "spanallocctl: %s will not be counted: its SystemCallFilter= kills it for %s(), which the "
                        "library calls; add SystemCallFilter=@system-service to it\n",
                        subject->name, info->killing_call);
        else if (info->refused_call[0])
                fprintf(stderr,
                        "spanallocctl: %s will not be counted: its SystemCallFilter= refuses it %s(), which the "
                        "library "
                        "calls; add SystemCallFilter=@system-service to it\n",
                        subject->name, info->refused_call);
}

static void warn_of_paths(struct subject *subject, const char *library) {
        const char *runtime = subject->options->user ? getenv("XDG_RUNTIME_DIR") : "/run";
        struct unit_info *info = &subject->info;
        char directory[PATH_MAX];

        if (info->loses_preload)
                fprintf(stderr, "spanallocctl: %s will not be counted: its UnsetEnvironment= removes LD_PRELOAD\n",
                        subject->name);
        if (info->overriding[0])
                fprintf(stderr,
                        "spanallocctl: %s will not be counted: its EnvironmentFile= %s sets LD_PRELOAD; add %s to it "
                        "there\n",
                        subject->name, info->overriding, library);
        if (info->has_own_root)
                return;
        snprintf(directory, sizeof(directory), "%s/spanalloc", runtime ? runtime : "/run");
        unit_bus_look_for(subject->bus, subject->name, directory, false, info);
        unit_bus_look_for(subject->bus, subject->name, library, true, info);
        if (!strcmp(info->hiding, "InaccessiblePaths") || !strcmp(info->hiding, "ProtectHome"))
                fprintf(stderr, "spanallocctl: %s will not be counted: its %s= hides %s; remove it there\n",
                        subject->name, info->hiding, info->hidden);
        else if (info->hiding[0])
                fprintf(stderr, "spanallocctl: %s will not be counted: its %s= hides %s; add %s=%s to it\n",
                        subject->name, info->hiding, info->hidden,
                        strcmp(info->hiding, "NoExecPaths") ? "BindReadOnlyPaths" : "ExecPaths", info->hidden);
}

static int enable(struct subject *subject) {
        const struct options *options = subject->options;
        char library[PATH_MAX], error[PATH_MAX * 2], text[2 * PATH_MAX];
        struct dropin_settings settings = {.unit = subject->name,
                                           .library = library,
                                           .preload = subject->info.preload,
                                           .calls_pass = !subject->info.killing_call[0],
                                           .ring_kib = options->ring_kib};
        bool restarted;
        int r;

        if (!strcmp(subject->info.load_state, "not-found"))
                return ctl_fail(CTL_NOT_FOUND, "there is no unit %s%s; `systemctl %slist-unit-files` lists them",
                                subject->name, options->user ? " of this user" : "", options->user ? "--user " : "");
        if (strcmp(subject->info.load_state, "loaded"))
                return ctl_fail(CTL_FAILURE, "cannot start %s: it is %s; see `systemctl %sstatus %s`", subject->name,
                                subject->info.load_state, options->user ? "--user " : "", subject->name);
        if (preload_find(library, options->preload, error, sizeof(error)) < 0)
                return ctl_fail(CTL_FAILURE, "%s", error);
        if (is_broken_by_library(subject))
                return ctl_fail(CTL_FAILURE, "%s is " ELF_OBSTACLE_SANITIZER "; it does not start with the library",
                                subject->info.program);
        if (dropin_text(text, sizeof(text), &settings) < 0)
                return ctl_fail(CTL_FAILURE, "the LD_PRELOAD of %s is too long", subject->name);
        r = dropin_write(&subject->dropin, text);
        if (r < 0)
                return no_file(subject, r);
        warn(subject);
        warn_of_filter(subject);
        warn_of_paths(subject, library);
        r = take_over(subject, &restarted);
        return r == CTL_OK ? report(subject, text, restarted) : r;
}

int verb_enable(struct ctl *ctl, int argc, char **argv) {
        struct subject subject = {0};
        int code;

        /* Digits alone are a process; a unit of that name is NAME.service. */
        if (argv[0][0] && strspn(argv[0], "0123456789") == strlen(argv[0]))
                return program_cannot_attach(strtoull(argv[0], NULL, 10));
        code = subject_init(&subject, ctl, argv[0]);
        return subject_deinit(&subject, code == CTL_OK ? enable(&subject) : code);
}

/* ----------------------------------------------------------------------------------------------------- disable -- */

static int disable(struct subject *subject) {
        bool restarted;
        int r = dropin_remove(&subject->dropin);

        if (r == -ENOENT || r == -ENOTDIR)
                return ctl_fail(CTL_NOT_FOUND, "%s is not enabled: there is no %s", subject->name,
                                subject->dropin.path);
        if (r < 0)
                return no_file(subject, r);
        r = take_over(subject, &restarted);
        return r == CTL_OK ? report(subject, NULL, restarted) : r;
}

int verb_disable(struct ctl *ctl, int argc, char **argv) {
        struct subject subject = {0};
        int code = subject_init(&subject, ctl, argv[0]);

        return subject_deinit(&subject, code == CTL_OK ? disable(&subject) : code);
}
