/* SPDX-License-Identifier: MIT */
/*
 * The client's error texts, and the kind of each error.  What a program does about a kind is for that program.
 */
#include "query/client_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "query/client_socket.h"

int client_fail(struct client_error *ret_error, int code, enum client_error_kind kind, const char *format, ...) {
        va_list args;

        ret_error->code = code;
        ret_error->kind = kind;
        va_start(args, format);
        vsnprintf(ret_error->text, sizeof(ret_error->text), format, args);
        va_end(args);
        return -code;
}

/* True if systemd runs here and has the unit. */
static bool has_service(void) {
        static const char *const places[] = {"/etc/systemd/system", "/usr/local/lib/systemd/system",
                                             "/usr/lib/systemd/system", "/lib/systemd/system"};
        char path[128];

        if (access("/run/systemd/system", F_OK) < 0)
                return false;
        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
                snprintf(path, sizeof(path), "%s/spanallocd.service", places[i]);
                if (access(path, F_OK) == 0)
                        return true;
        }
        return false;
}

/* The command that starts a collector at `path`, as this user, on this machine. */
static const char *start_command(char *buf, size_t size, const char *path, bool is_given) {
        const char *runtime = getenv("XDG_RUNTIME_DIR"), *slash = strrchr(path, '/');
        bool is_system = strcmp(path, CLIENT_SYSTEM_PATH) == 0;

        if (is_given && !is_system && slash && strcmp(slash, "/query.sock") == 0) {
                snprintf(buf, size,
                         "`spanallocd --runtime-dir %.*s`, and programs with SPANALLOC_SOCKET=%.*s/ingest.sock",
                         (int)(slash - path), path, (int)(slash - path), path);
                return buf;
        }
        if (is_system && has_service())
                return geteuid() == 0 ? "`systemctl start spanallocd`" : "`sudo systemctl start spanallocd`";
        if (is_system && geteuid() == 0)
                return "`spanallocd`";
        if (runtime && *runtime)
                return "`spanallocd --user`";
        return "`spanallocd --runtime-dir DIR`, and the programs and this one with SPANALLOC_SOCKET=DIR/ingest.sock";
}

int client_fail_open(struct client_error *ret_error, int r, const char *path, const char *other, bool is_given) {
        char command[2 * CLIENT_PATH_BYTES + 100];

        switch (-r) {
        case ENOENT:
        case ENOTDIR:
        case ECONNREFUSED:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE, "no collector at %s%s%s; start one with %s",
                                   other, other[0] ? " or " : "", path,
                                   start_command(command, sizeof(command), path, is_given));
        case EACCES:
        case EPERM:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "no permission to use %s; join the group spanalloc and log in again, or ask as root",
                                   path);
        case EAGAIN:
        case ETIMEDOUT:
                return client_fail(
                        ret_error, ETIMEDOUT, CLIENT_ERROR_UNREACHABLE,
                        "the collector at %s does not accept connections; check whether it is stopped or busy, "
                        "or start it again",
                        path);
        case ENAMETOOLONG:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "%s is too long for a socket; give a path of at most %zu bytes", path,
                                   sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
        case EPROTOTYPE:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "%s is not a query socket; give the path of a query.sock", path);
        default:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "cannot connect to %s: %s; give the path of a collector's query.sock", path,
                                   strerror(-r));
        }
}

int client_fail_lost(struct client_error *ret_error, int r, const char *path) {
        switch (-r) {
        case ETIMEDOUT:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "the collector at %s does not answer; check whether it is stopped or busy, or start "
                                   "it again",
                                   path);
        case ENOMEM:
                return client_fail(ret_error, -r, CLIENT_ERROR_FAILED, "out of memory; ask for fewer rows");
        case EBADMSG:
        case EMSGSIZE:
        case ELOOP:
        case E2BIG:
                return client_fail(ret_error, EBADMSG, CLIENT_ERROR_UNREACHABLE,
                                   "the peer at %s is no collector of this version; install spanallocd and "
                                   "this program in the same version",
                                   path);
        default:
                return client_fail(ret_error, -r, CLIENT_ERROR_UNREACHABLE,
                                   "the collector at %s closed the connection; read its log for the reason, or "
                                   "try again",
                                   path);
        }
}

void client_copy_clean(char *buf, size_t size, struct wire_value text) {
        const char *from = "";
        size_t length = 0;

        wire_get_text(text, &from, &length);
        if (length > size - 1)
                length = size - 1;
        memcpy(buf, from, length);
        text_clean_in_place(buf, length);
}

static enum client_error_kind kind_of(int code) {
        switch (code) {
        case EINVAL:
        case ENOSYS:
                return CLIENT_ERROR_REFUSED;
        case ENOENT:
                return CLIENT_ERROR_NOT_FOUND;
        case EPROTO:
                return CLIENT_ERROR_UNREACHABLE;
        default:
                return CLIENT_ERROR_FAILED;
        }
}

int client_fail_answer(struct client_error *ret_error, struct wire_value error) {
        char message[400], hint[200 + sizeof(message)];
        uint64_t code = 0;

        if (!wire_get_uint(wire_get(error, "code"), &code) || code == 0 || code > 4095)
                code = EIO;
        client_copy_clean(message, sizeof(message), wire_get(error, "message"));
        client_copy_clean(hint, sizeof(hint), wire_get(error, "hint"));
        return client_fail(ret_error, (int)code, kind_of((int)code), "%s%s%s", message, hint[0] ? "; " : "", hint);
}
