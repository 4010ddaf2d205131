/* SPDX-License-Identifier: MIT */
/*
 * What a unit's settings are, by D-Bus, and what they mean for its programs.
 *
 * What does not live here: connecting, and actions (unit_bus.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/session/fail.h"
#include "ctl/unit/syscall_filter.h"
#include "ctl/unit/unit_bus.h"
#include "ctl/unit/unit_connection.h"
#include "ctl/unit/unit_paths.h"

static void get_text(sd_bus *bus, const char *path, const char *interface, const char *name, char *buf, size_t size) {
        char *text = NULL;

        *buf = '\0';
        if (sd_bus_get_property_string(bus, MANAGER, path, interface, name, NULL, &text) >= 0)
                snprintf(buf, size, "%s", text);
        free(text);
}

/* The object of a unit, whose path is good while *ret_reply is. */
static int load_unit(struct unit_bus *bus, const char *name, sd_bus_message **ret_reply, const char **ret_path,
                     sd_bus_error *ret_error) {
        sd_bus_message *reply = NULL;
        int r = sd_bus_call_method(bus->bus, MANAGER, MANAGER_PATH, MANAGER_INTERFACE, "LoadUnit", ret_error, &reply,
                                   "s", name);

        if (r >= 0)
                r = sd_bus_message_read(reply, "o", ret_path);
        if (r < 0) {
                sd_bus_message_unref(reply);
                return r;
        }
        *ret_reply = reply;
        return 0;
}

/* The last word counts, as it does for systemd. */
static void get_preload(sd_bus *bus, const char *path, char *buf, size_t size) {
        char **words = NULL;

        *buf = '\0';
        if (sd_bus_get_property_strv(bus, MANAGER, path, SERVICE_INTERFACE, "Environment", NULL, &words) < 0)
                return;
        for (char **word = words; word && *word; word++) {
                if (!strncmp(*word, "LD_PRELOAD=", strlen("LD_PRELOAD=")))
                        snprintf(buf, size, "%s", *word + strlen("LD_PRELOAD="));
                free(*word);
        }
        free(words);
}

static void get_program(sd_bus *bus, const char *path, char *buf, size_t size) {
        sd_bus_message *reply = NULL;
        const char *program;

        *buf = '\0';
        if (sd_bus_get_property(bus, MANAGER, path, SERVICE_INTERFACE, "ExecStart", NULL, &reply, "a(sasbttttuii)") >=
                    0 &&
            sd_bus_message_enter_container(reply, 'a', "(sasbttttuii)") > 0 &&
            sd_bus_message_enter_container(reply, 'r', "sasbttttuii") > 0 &&
            sd_bus_message_read(reply, "s", &program) > 0)
                snprintf(buf, size, "%s", program);
        sd_bus_message_unref(reply);
}

static bool loses_preload(sd_bus *bus, const char *path) {
        char **words = NULL;
        bool loses = false;

        if (sd_bus_get_property_strv(bus, MANAGER, path, SERVICE_INTERFACE, "UnsetEnvironment", NULL, &words) < 0)
                return false;
        for (char **word = words; word && *word; word++) {
                loses |= !strcmp(*word, "LD_PRELOAD");
                free(*word);
        }
        free(words);
        return loses;
}

/* What an EnvironmentFile= sets counts more than the drop-in. */
static void get_overriding_file(sd_bus *bus, const char *path, char *buf, size_t size) {
        sd_bus_message *reply = NULL;
        const char *file;
        int may_lack;

        *buf = '\0';
        if (sd_bus_get_property(bus, MANAGER, path, SERVICE_INTERFACE, "EnvironmentFiles", NULL, &reply, "a(sb)") >=
                    0 &&
            sd_bus_message_enter_container(reply, 'a', "(sb)") > 0)
                while (sd_bus_message_read(reply, "(sb)", &file, &may_lack) > 0)
                        if (unit_file_sets(file, "LD_PRELOAD"))
                                snprintf(buf, size, "%s", file);
        sd_bus_message_unref(reply);
}

static bool lacks_sockets(sd_bus *bus, const char *path) {
        sd_bus_message *reply = NULL;
        const char *family;
        int is_allowed, listed = 0;
        bool lacks = false;

        if (sd_bus_get_property(bus, MANAGER, path, SERVICE_INTERFACE, "RestrictAddressFamilies", NULL, &reply,
                                "(bas)") >= 0 &&
            sd_bus_message_enter_container(reply, 'r', "bas") > 0 && sd_bus_message_read(reply, "b", &is_allowed) > 0 &&
            sd_bus_message_enter_container(reply, 'a', "s") > 0) {
                while (sd_bus_message_read(reply, "s", &family) > 0)
                        listed |= !strcmp(family, "AF_UNIX");
                lacks = is_allowed ? !listed : listed;
        }
        sd_bus_message_unref(reply);
        return lacks;
}

/* Without a list nothing kills.  A manager that tells no number of an errno, or none that is one, kills. */
static void judge_filter(sd_bus *bus, const char *path, struct unit_info *info) {
        struct syscall_filter filter = {0};
        sd_bus_message *reply = NULL;
        const char *name, *call;
        int is_allowed = 0, error = 0;
        bool is_there = false;

        (void)sd_bus_get_property_trivial(bus, MANAGER, path, SERVICE_INTERFACE, "SystemCallErrorNumber", NULL, 'i',
                                          &error);
        filter.answers = error > 0 && error < 4096;
        if (sd_bus_get_property(bus, MANAGER, path, SERVICE_INTERFACE, "SystemCallFilter", NULL, &reply, "(bas)") >=
                    0 &&
            sd_bus_message_enter_container(reply, 'r', "bas") > 0 && sd_bus_message_read(reply, "b", &is_allowed) > 0 &&
            sd_bus_message_enter_container(reply, 'a', "s") > 0) {
                filter.is_allow_list = is_allowed;
                while (sd_bus_message_read(reply, "s", &name) > 0) {
                        syscall_filter_add(&filter, name);
                        is_there = true;
                }
        }
        sd_bus_message_unref(reply);
        if (!is_there && !is_allowed)
                return;
        call = syscall_filter_kills(&filter);
        snprintf(info->killing_call, sizeof(info->killing_call), "%s", call ? call : "");
        call = syscall_filter_refuses(&filter);
        snprintf(info->refused_call, sizeof(info->refused_call), "%s", call ? call : "");
}

/* -------------------------------------------------------------------------------------------------------- paths -- */

/* Each list of paths has `type` as that of its elements, and the path at `at` among its strings. */
static const struct path_list {
        const char *name, *type;
        unsigned at;
        enum { HIDES, HIDES_FOR_GOOD, SHOWS } what;
        bool only_library;
} path_lists[] = {
        {"InaccessiblePaths", "s", 0, HIDES_FOR_GOOD, false},
        {"TemporaryFileSystem", "(ss)", 0, HIDES, false},
        {"BindPaths", "(ssbt)", 1, SHOWS, false},
        {"BindReadOnlyPaths", "(ssbt)", 1, SHOWS, false},
        {"NoExecPaths", "s", 0, HIDES, true},
        {"ExecPaths", "s", 0, SHOWS, true},
};

static void read_path_list(sd_bus *bus, const char *unit, const struct path_list *list, struct unit_paths *paths) {
        char type[16];
        const char *texts[2];
        sd_bus_message *reply = NULL;
        int r;

        snprintf(type, sizeof(type), "a%s", list->type);
        if (sd_bus_get_property(bus, MANAGER, unit, SERVICE_INTERFACE, list->name, NULL, &reply, type) >= 0 &&
            sd_bus_message_enter_container(reply, 'a', list->type) > 0)
                for (;;) {
                        int ignored;
                        uint64_t flags;

                        if (!strcmp(list->type, "s"))
                                r = sd_bus_message_read(reply, "s", &texts[0]);
                        else if (!strcmp(list->type, "(ss)"))
                                r = sd_bus_message_read(reply, "(ss)", &texts[0], &texts[1]);
                        else
                                r = sd_bus_message_read(reply, "(ssbt)", &texts[0], &texts[1], &ignored, &flags);
                        if (r <= 0)
                                break;
                        if (list->what != SHOWS)
                                unit_paths_hide(paths, list->name, texts[list->at], list->what == HIDES_FOR_GOOD);
                        else
                                unit_paths_show(paths, texts[list->at]);
                }
        sd_bus_message_unref(reply);
}

/* "yes" hides it, as "tmpfs" does; "read-only" shows it. */
static void read_protect_home(sd_bus *bus, const char *unit, struct unit_paths *paths) {
        static const char *const homes[] = {"/home", "/root", "/run/user"};
        char text[16];

        get_text(bus, unit, SERVICE_INTERFACE, "ProtectHome", text, sizeof(text));
        if (strcmp(text, "yes") != 0 && strcmp(text, "tmpfs") != 0)
                return;
        for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++)
                unit_paths_hide(paths, "ProtectHome", homes[i], !strcmp(text, "yes"));
}

void unit_bus_look_for(struct unit_bus *bus, const char *name, const char *file, bool is_library,
                       struct unit_info *info) {
        struct unit_paths paths = {.path = file};
        sd_bus_message *reply = NULL;
        const char *unit;

        if (info->hiding[0] || load_unit(bus, name, &reply, &unit, NULL) < 0)
                return;
        for (size_t i = 0; i < sizeof(path_lists) / sizeof(*path_lists); i++)
                if (is_library || !path_lists[i].only_library)
                        read_path_list(bus->bus, unit, &path_lists[i], &paths);
        read_protect_home(bus->bus, unit, &paths);
        if (unit_paths_is_hidden(&paths)) {
                memcpy(info->hiding, paths.by, sizeof(info->hiding));
                snprintf(info->hidden, sizeof(info->hidden), "%s", file);
        }
        sd_bus_message_unref(reply);
}

int unit_bus_look(struct unit_bus *bus, const char *name, struct unit_info *ret, struct unit_error *ret_error) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        char root[2][PATH_MAX];
        const char *path;
        int r;

        r = load_unit(bus, name, &reply, &path, &error);
        if (r < 0) {
                unit_fail(ret_error, r, CTL_FAILURE, "cannot read the properties of %s from systemd: %s", name,
                          error.message ? error.message : strerror(-r));
        } else {
                get_text(bus->bus, path, UNIT_INTERFACE, "LoadState", ret->load_state, sizeof(ret->load_state));
                get_text(bus->bus, path, UNIT_INTERFACE, "ActiveState", ret->active_state, sizeof(ret->active_state));
                get_text(bus->bus, path, SERVICE_INTERFACE, "RootDirectory", root[0], sizeof(*root));
                get_text(bus->bus, path, SERVICE_INTERFACE, "RootImage", root[1], sizeof(*root));
                get_preload(bus->bus, path, ret->preload, sizeof(ret->preload));
                get_program(bus->bus, path, ret->program, sizeof(ret->program));
                ret->has_own_root = *root[0] || *root[1];
                ret->lacks_sockets = lacks_sockets(bus->bus, path);
                judge_filter(bus->bus, path, ret);
                ret->loses_preload = loses_preload(bus->bus, path);
                get_overriding_file(bus->bus, path, ret->overriding, sizeof(ret->overriding));
        }
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 0;
}
