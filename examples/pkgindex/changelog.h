/* SPDX-License-Identifier: MIT */
/* Debian changelogs: text in, entries out. */
#pragma once

#include <stddef.h>

struct entry {
        char *version, *author, *date, *body;
};

struct changelog {
        char *package;
        struct entry *entries;
        size_t count, allocated;
};

/* Returns 0, -EINVAL for text that is no changelog, or -ENOMEM.  changelog_deinit() in any case. */
int changelog_parse(struct changelog *changelog, const char *text, size_t size);
void changelog_deinit(struct changelog *changelog);
