/* SPDX-License-Identifier: MIT */
/*
 * The drop-in file of a unit: its path, its text, writing and removing it.  Talking to systemd is in unit_bus.c.
 */
#include "ctl/unit/dropin.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "ctl/run/preload_order.h"

#define FILE_NAME "spanalloc.conf"
/* The first line of a file that this program wrote. */
#define SIGNATURE "# Written by `spanallocctl enable"

int dropin_init(struct dropin *ret, const char *unit, bool user) {
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        char base[PATH_MAX / 2];
        int n;

        if (!user)
                n = snprintf(base, sizeof(base), "/etc/systemd/system");
        else if (config && config[0] == '/')
                n = snprintf(base, sizeof(base), "%s/systemd/user", config);
        else if (home && home[0] == '/')
                n = snprintf(base, sizeof(base), "%s/.config/systemd/user", home);
        else
                return -ENOENT;
        if (n >= (int)sizeof(base) ||
            snprintf(ret->directory, sizeof(ret->directory), "%s/%s.d", base, unit) >= (int)sizeof(ret->directory))
                return -ENAMETOOLONG;
        snprintf(ret->path, sizeof(ret->path), "%s/" FILE_NAME, ret->directory);
        return 0;
}

/* ------------------------------------------------------------------------------------------------------ its text -- */

struct text {
        char *at, *end;
        bool full;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text, const char *format, ...) {
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(text->at, (size_t)(text->end - text->at), format, args);
        va_end(args);
        if (n < 0 || n >= text->end - text->at)
                text->full = true;
        else
                text->at += n;
}

/* As systemd takes it apart again: quotes, backslashes, and specifiers after a %. */
static void put_escaped(struct text *text, const char *word) {
        for (; *word; word++) {
                if (strchr("\"\\", *word))
                        put(text, "\\");
                put(text, *word == '%' ? "%%%%" : "%c", *word);
        }
}

int dropin_text(char *buf, size_t size, const struct dropin_settings *settings) {
        char *preload = preload_order(settings->preload, settings->library);
        struct text text = {buf, buf + size, false};

        if (!preload)
                return -ENOMEM;
        put(&text, SIGNATURE " %s`; `spanallocctl disable %s` removes it.\n[Service]\nEnvironment=\"LD_PRELOAD=",
            settings->unit, settings->unit);
        put_escaped(&text, preload);
        free(preload);
        put(&text, "\"\nEnvironment=SPANALLOC=1\n");
        if (settings->calls_pass)
                put(&text, "Environment=SPANALLOC_SECCOMP=allow\n");
        if (settings->ring_kib)
                put(&text, "Environment=SPANALLOC_RING_KIB=%" PRIu64 "\n", settings->ring_kib);
        return text.full ? -ENAMETOOLONG : 0;
}

/* ------------------------------------------------------------------------------------------------------ its file -- */

/* 0: this program wrote the file.  -EEXIST: something else did. */
static int is_ours(const struct dropin *dropin) {
        char begin[sizeof(SIGNATURE)] = "";
        FILE *file = fopen(dropin->path, "re");

        if (!file)
                return -errno;
        (void)!fread(begin, 1, sizeof(begin) - 1, file);
        fclose(file);
        return strcmp(begin, SIGNATURE) ? -EEXIST : 0;
}

static int make_directories(const char *path) {
        char part[PATH_MAX];

        for (size_t n = 1; n <= strlen(path) && n < sizeof(part); n++) {
                if (path[n] && path[n] != '/')
                        continue;
                snprintf(part, sizeof(part), "%.*s", (int)n, path);
                if (mkdir(part, 0755) < 0 && errno != EEXIST)
                        return -errno;
        }
        return 0;
}

int dropin_write(const struct dropin *dropin, const char *text) {
        char temporary[PATH_MAX + 8];
        int fd, r;

        r = is_ours(dropin);
        if (r < 0 && r != -ENOENT && r != -ENOTDIR)
                return r;
        r = make_directories(dropin->directory);
        if (r < 0)
                return r;
        snprintf(temporary, sizeof(temporary), "%s/.#XXXXXX", dropin->directory);
        fd = mkostemp(temporary, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, strlen(text));
        if (r == 0 && fchmod(fd, 0644) < 0)
                r = -errno;
        close(fd);
        if (r == 0 && rename(temporary, dropin->path) < 0)
                r = -errno;
        if (r < 0)
                unlink(temporary);
        return r;
}

int dropin_remove(const struct dropin *dropin) {
        int r = is_ours(dropin);

        if (r < 0)
                return r;
        if (unlink(dropin->path) < 0)
                return -errno;
        (void)rmdir(dropin->directory);
        return 0;
}
