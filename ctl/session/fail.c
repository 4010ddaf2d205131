/* SPDX-License-Identifier: MIT */
/*
 * The line on stderr of a verb that fails, and the exit status of each kind of client error.  The client's own texts are in
 * query/client_error.c.
 */
#include "ctl/session/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int ctl_fail(int code, const char *format, ...) {
        va_list args;

        fputs("spanallocctl: ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        return code;
}

int ctl_exit_of(const struct client_error *error) {
        switch (error->kind) {
        case CLIENT_ERROR_REFUSED:
                return CTL_USAGE;
        case CLIENT_ERROR_UNREACHABLE:
                return CTL_UNREACHABLE;
        case CLIENT_ERROR_NOT_FOUND:
                return CTL_NOT_FOUND;
        case CLIENT_ERROR_FAILED:
                break;
        }
        return CTL_FAILURE;
}

const char *ctl_advice(const struct client_error *error) {
        if (error->kind != CLIENT_ERROR_UNREACHABLE)
                return "";
        switch (error->code) {
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
                return "; or measure a command with `spanallocctl run -- CMD`";
        case ENAMETOOLONG:
        case EPROTOTYPE:
                return " with --socket";
        default:
                return "";
        }
}

int ctl_fail_client(const struct client_error *error) {
        return ctl_fail(ctl_exit_of(error), "%s%s", error->text, ctl_advice(error));
}
