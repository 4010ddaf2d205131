/* SPDX-License-Identifier: MIT */
#include "changelog.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct line {
        const char *text;
        size_t size;
};

static bool next_line(const char **at, const char *end, struct line *ret) {
        const char *newline;

        if (*at == end)
                return false;
        newline = memchr(*at, '\n', (size_t)(end - *at));
        ret->text = *at;
        ret->size = (size_t)((newline ? newline : end) - *at);
        *at = newline ? newline + 1 : end;
        while (ret->size && isspace((unsigned char)ret->text[ret->size - 1]))
                ret->size--;
        return true;
}

static bool begins_with(const struct line *line, const char *prefix) {
        size_t size = strlen(prefix);

        return line->size >= size && memcmp(line->text, prefix, size) == 0;
}

static struct entry *add_entry(struct changelog *changelog) {
        struct entry *entry;

        if (changelog->count == changelog->allocated) {
                size_t allocated = changelog->allocated ? 2 * changelog->allocated : 8;

                entry = reallocarray(changelog->entries, allocated, sizeof *entry);
                if (!entry)
                        return NULL;
                changelog->entries = entry;
                changelog->allocated = allocated;
        }
        entry = &changelog->entries[changelog->count++];
        *entry = (struct entry){0};
        return entry;
}

/* "bash (5.2.15-2) unstable; urgency=medium" */
static int parse_heading(struct changelog *changelog, const struct line *line, struct entry **ret) {
        const char *open = memchr(line->text, '(', line->size), *close;
        struct entry *entry;

        if (!open || open < line->text + 2)
                return -EINVAL;
        close = memchr(open, ')', (size_t)(line->text + line->size - open));
        if (!close)
                return -EINVAL;
        if (!changelog->package) {
                changelog->package = strndup(line->text, (size_t)(open - 1 - line->text));
                if (!changelog->package)
                        return -ENOMEM;
        }
        entry = add_entry(changelog);
        if (!entry)
                return -ENOMEM;
        entry->version = strndup(open + 1, (size_t)(close - open - 1));
        if (!entry->version)
                return -ENOMEM;
        *ret = entry;
        return 0;
}

/* " -- Matthias Klose <doko@debian.org>  Mon, 02 Jan 2023 13:06:21 +0100" */
static int parse_trailer(struct entry *entry, const struct line *line) {
        const char *end = line->text + line->size, *name = line->text + 4;
        const char *mail = memchr(name, '<', (size_t)(end - name));
        const char *date = mail ? memchr(mail, '>', (size_t)(end - mail)) : NULL;

        if (entry->author || !mail || !date)
                return 0;
        while (date < end && (*date == '>' || *date == ' '))
                date++;
        entry->author = strndup(name, (size_t)(mail - name));
        entry->date = strndup(date, (size_t)(end - date));
        return entry->author && entry->date ? 0 : -ENOMEM;
}

/* Text that is being put together, line by line. */
struct draft {
        char *text;
        size_t size, allocated;
};

static int draft_add(struct draft *draft, const struct line *line) {
        size_t need = draft->size + line->size + 2, allocated = draft->allocated ? draft->allocated : 128;
        char *text;

        if (need > draft->allocated) {
                while (allocated < need)
                        allocated *= 2;
                text = realloc(draft->text, allocated);
                if (!text)
                        return -ENOMEM;
                draft->text = text;
                draft->allocated = allocated;
        }
        memcpy(draft->text + draft->size, line->text, line->size);
        draft->size += line->size;
        draft->text[draft->size++] = '\n';
        draft->text[draft->size] = '\0';
        return 0;
}

/* Gives the entry its body, and begins anew. */
static int draft_finish(struct draft *draft, struct entry *entry) {
        if (entry && draft->size) {
                entry->body = strdup(draft->text);
                if (!entry->body)
                        return -ENOMEM;
        }
        draft->size = 0;
        return 0;
}

static int parse_line(struct changelog *changelog, struct entry **entry, struct draft *draft, const struct line *line) {
        int r;

        if (line->size == 0)
                return 0;
        if (isalnum((unsigned char)line->text[0])) {
                r = draft_finish(draft, *entry);
                return r < 0 ? r : parse_heading(changelog, line, entry);
        }
        if (*entry && begins_with(line, " -- "))
                return parse_trailer(*entry, line);
        if (*entry && begins_with(line, "  "))
                return draft_add(draft, line);
        return 0;
}

int changelog_parse(struct changelog *changelog, const char *text, size_t size) {
        const char *end = text + size;
        struct entry *entry = NULL;
        struct draft draft = {0};
        struct line line;
        int r = 0;

        *changelog = (struct changelog){0};
        while (r == 0 && next_line(&text, end, &line))
                r = parse_line(changelog, &entry, &draft, &line);
        /* Old changelogs end in prose and editor's settings; what came before is good. */
        if (r == -EINVAL && entry)
                r = 0;
        if (r == 0)
                r = entry ? draft_finish(&draft, entry) : -EINVAL;
        free(draft.text);
        return r;
}

void changelog_deinit(struct changelog *changelog) {
        for (size_t i = 0; i < changelog->count; i++) {
                free(changelog->entries[i].version);
                free(changelog->entries[i].author);
                free(changelog->entries[i].date);
                free(changelog->entries[i].body);
        }
        free(changelog->entries);
        free(changelog->package);
        *changelog = (struct changelog){0};
}
