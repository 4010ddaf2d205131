/* SPDX-License-Identifier: MIT */
/*
 * For unit_bus.c and unit_look.c only: the connection to the service manager.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-bus.h>

struct unit_error;

#define MANAGER           "org.freedesktop.systemd1"
#define MANAGER_PATH      "/org/freedesktop/systemd1"
#define MANAGER_INTERFACE MANAGER ".Manager"
#define UNIT_INTERFACE    MANAGER ".Unit"
#define SERVICE_INTERFACE MANAGER ".Service"

struct unit_bus {
        sd_bus *bus;
        bool user;
        char *job; /* that is waited for */
        char result[32];
};

/* Writes the sentence; returns r. */
int unit_fail(struct unit_error *ret_error, int r, int exit_status, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
