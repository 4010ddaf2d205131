/* SPDX-License-Identifier: MIT */
/*
 * Units by D-Bus: connecting, reload, restart.  The manager's own socket is tried first, so that no message bus has to run.
 */
#include "ctl/unit/unit_bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/session/fail.h"
#include "ctl/unit/unit_connection.h"

int unit_fail(struct unit_error *ret_error, int r, int exit_status, const char *format, ...) {
        va_list args;

        ret_error->exit_status = exit_status;
        va_start(args, format);
        vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
        va_end(args);
        return r;
}

int unit_name(char ret[UNIT_NAME_MAX], const char *text, struct unit_error *ret_error) {
        static const char *const others[] = {".socket", ".device", ".mount", ".automount", ".swap",
                                             ".target", ".path",   ".timer", ".slice",     ".scope"};
        const char *dot = strrchr(text, '.'), *at = strchr(text, '@');
        size_t length = strlen(text);
        bool whole = dot && !strcmp(dot, ".service");

        if (!length || length + sizeof ".service" > UNIT_NAME_MAX || text[0] == '.' || text[0] == '-' ||
            strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@") != length)
                return unit_fail(ret_error, -EINVAL, CTL_USAGE,
                                 "\"%.64s\" is not the name of a unit; `systemctl list-units` lists them", text);
        for (size_t i = 0; dot && i < sizeof(others) / sizeof(*others); i++)
                if (!strcmp(dot, others[i]))
                        return unit_fail(ret_error, -EINVAL, CTL_USAGE,
                                         "%s runs no programs of its own; name a service", text);
        if (at && (!at[1] || at + 1 == (whole ? dot : NULL)))
                return unit_fail(ret_error, -EINVAL, CTL_USAGE,
                                 "%s is a template; name one of its instances, such as %.*sNAME", text,
                                 (int)(at - text + 1), text);
        snprintf(ret, UNIT_NAME_MAX, "%s%s", text, whole ? "" : ".service");
        return 0;
}

/* ------------------------------------------------------------------------------------------------- connecting -- */

static int open_private(sd_bus **ret, bool user) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        char address[PATH_MAX + 32];
        sd_bus *bus = NULL;
        int r;

        if (user ? !runtime : geteuid() != 0)
                return -ENOENT;
        snprintf(address, sizeof(address), "unix:path=%s/systemd/private", user ? runtime : "/run");
        r = sd_bus_new(&bus);
        if (r >= 0)
                r = sd_bus_set_address(bus, address);
        if (r >= 0)
                r = sd_bus_start(bus);
        /* It connects later: the first call says whether it could. */
        if (r >= 0)
                r = sd_bus_call_method(bus, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe", NULL, NULL, NULL);
        if (r < 0) {
                sd_bus_unref(bus);
                return r;
        }
        *ret = bus;
        return 0;
}

int unit_bus_open(struct unit_bus **ret, bool user, struct unit_error *ret_error) {
        struct unit_bus *bus = calloc(1, sizeof(*bus));
        int r;

        if (!bus)
                return unit_fail(ret_error, -ENOMEM, CTL_FAILURE, "out of memory");
        bus->user = user;
        r = open_private(&bus->bus, user);
        if (r < 0) {
                r = user ? sd_bus_open_user(&bus->bus) : sd_bus_open_system(&bus->bus);
                if (r >= 0)
                        r = sd_bus_call_method(bus->bus, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "Subscribe", NULL,
                                               NULL, NULL);
        }
        if (r < 0) {
                unit_bus_free(bus);
                return unit_fail(ret_error, r, CTL_FAILURE, "cannot connect to %s: %s; %s",
                                 user ? "your systemd" : "systemd", strerror(-r),
                                 user ? "log in, or set XDG_RUNTIME_DIR" : "this needs a machine that systemd runs");
        }
        sd_bus_set_allow_interactive_authorization(bus->bus, 1);
        *ret = bus;
        return 0;
}

struct unit_bus *unit_bus_free(struct unit_bus *bus) {
        if (!bus)
                return NULL;
        sd_bus_flush_close_unref(bus->bus);
        free(bus->job);
        free(bus);
        return NULL;
}

/* ----------------------------------------------------------------------------------------------------- actions -- */

int unit_bus_reload(struct unit_bus *bus, struct unit_error *ret_error) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus->bus, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "Reload", &error, NULL, NULL);
        if (r < 0)
                unit_fail(ret_error, r, CTL_FAILURE, "systemd did not reload its units: %s",
                          error.message ? error.message : strerror(-r));
        sd_bus_error_free(&error);
        return r < 0 ? r : 0;
}

static int on_job_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        struct unit_bus *bus = userdata;
        const char *job, *unit, *result;
        uint32_t id;

        if (sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0 && bus->job && !strcmp(job, bus->job))
                snprintf(bus->result, sizeof(bus->result), "%s", result);
        return 0;
}

static int wait_for_job(struct unit_bus *bus) {
        int r = 0;

        while (!bus->result[0] && r >= 0) {
                r = sd_bus_process(bus->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus->bus, UINT64_MAX);
        }
        return r < 0 ? r : 0;
}

int unit_bus_restart(struct unit_bus *bus, const char *name, struct unit_error *ret_error) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *job;
        int r;

        /* The signal's messages wait in the queue until they are read, so none is missed. */
        r = sd_bus_match_signal(bus->bus, NULL, NULL, MANAGER_PATH, MANAGER_INTERFACE, "JobRemoved", on_job_removed,
                                bus);
        if (r >= 0)
                r = sd_bus_call_method(bus->bus, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "RestartUnit", &error,
                                       &reply, "ss", name, "replace");
        if (r >= 0)
                r = sd_bus_message_read(reply, "o", &job);
        if (r >= 0) {
                bus->job = strdup(job);
                r = bus->job ? wait_for_job(bus) : -ENOMEM;
        }
        if (r < 0)
                unit_fail(ret_error, r, CTL_FAILURE, "cannot restart %s: %s", name,
                          error.message ? error.message : strerror(-r));
        else if (strcmp(bus->result, "done"))
                r = unit_fail(ret_error, -EIO, CTL_FAILURE,
                              "%s did not start again: %s; `systemctl%s status %s` shows why", name, bus->result,
                              bus->user ? " --user" : "", name);
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 0;
}
