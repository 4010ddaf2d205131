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

static int add_body(struct entry *entry, const struct line *line) {
        size_t have = entry->body ? strlen(entry->body) : 0;
        char *body = realloc(entry->body, have + line->size + 2);

        if (!body)
                return -ENOMEM;
        memcpy(body + have, line->text, line->size);
        body[have + line->size] = '\n';
        body[have + line->size + 1] = '\0';
        entry->body = body;
        return 0;
}

int changelog_parse(struct changelog *changelog, const char *text, size_t size) {
        const char *end = text + size;
        struct entry *entry = NULL;
        struct line line;
        int r = 0;

        *changelog = (struct changelog){0};
        while (r == 0 && next_line(&text, end, &line)) {
                if (line.size == 0)
                        continue;
                if (isalnum((unsigned char)line.text[0])) {
                        r = parse_heading(changelog, &line, &entry);
                        /* Old changelogs end in prose and editor's settings; what came before is good. */
                        if (r == -EINVAL && entry)
                                return 0;
                } else if (entry && begins_with(&line, " -- ")) {
                        r = parse_trailer(entry, &line);
                } else if (entry && begins_with(&line, "  ")) {
                        r = add_body(entry, &line);
                }
        }
        return r < 0 ? r : entry ? 0 : -EINVAL;
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
