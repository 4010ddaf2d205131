/* SPDX-License-Identifier: MIT */
/* See names.h. */
#include "daemon/books/names.h"

void names_add(struct books *books, uint32_t id, const struct book_name *name) {
        touch(books, &books->names[id]);
        books->names[id] = *name;
        if (id > books->book->names) {
                touch(books, &books->book->names);
                books->book->names = id;
        }
}

void names_add_path(struct books *books, uint32_t path, uint32_t parent, uint32_t name) {
        struct tally *t = &books->tallies[path];
        struct book_name *n = &books->names[name];

        touch(books, t);
        t->parent = parent;
        t->name = name;
        t->depth = parent ? books->tallies[parent].depth + 1 : 0;
        t->born_ns = books->book->now_ns;
        t->tick = t->born_ns >> DECAYED_TICK_SHIFT;
        t->next_path = n->first_path;
        touch(books, &n->first_path);
        n->first_path = path;
        if (path > books->book->paths) {
                touch(books, &books->book->paths);
                books->book->paths = path;
        }
}

void names_add_other(struct books *books) {
        static const struct book_name other = {.name = "(other)", .name_length = 7};

        if (!names_have(books, SHM_NAME_OTHER))
                names_add(books, SHM_NAME_OTHER, &other);
        names_add_path(books, SHM_PATH_OTHER, 0, SHM_NAME_OTHER);
}

/* --------------------------------------------------------------------------------------------------- for queries -- */

uint32_t books_name_count(const struct books *books) {
        return books->book->names;
}

uint32_t books_path_count(const struct books *books) {
        return books->book->paths;
}

const char *books_name(const struct books *books, uint32_t name) {
        return name && name < books->limits.names ? books->names[name].name : "";
}

const char *books_name_file(const struct books *books, uint32_t name, uint32_t *ret_line) {
        if (!name || name >= books->limits.names)
                return "";
        *ret_line = books->names[name].line;
        return books->names[name].file;
}

uint32_t books_path_parent(const struct books *books, uint32_t path) {
        return books->tallies[path].parent;
}

uint32_t books_path_name(const struct books *books, uint32_t path) {
        return books->tallies[path].name;
}

uint32_t books_path_depth(const struct books *books, uint32_t path) {
        return books->tallies[path].depth;
}

/* -------------------------------------------------------------------------------------------------- path text -- */

static size_t put(char *buf, size_t size, size_t at, char c) {
        if (at + 1 < size)
                buf[at] = c;
        return at + 1;
}

static size_t put_name(char *buf, size_t size, size_t at, const char *name) {
        for (; *name; name++) {
                if (*name == '/' || *name == '\\')
                        at = put(buf, size, at, '\\');
                at = put(buf, size, at, *name);
        }
        return at;
}

size_t books_path_text(const struct books *books, uint32_t path, char *buf, size_t size) {
        uint32_t chain[SHM_PATH_DEPTH_MAX + 1];
        size_t n = 0, at = 0;

        for (; path && n < SHM_PATH_DEPTH_MAX + 1; path = books->tallies[path].parent)
                chain[n++] = path;
        while (n--) {
                at = put_name(buf, size, at, books_name(books, books->tallies[chain[n]].name));
                if (n)
                        at = put(buf, size, at, '/');
        }
        if (size)
                buf[at < size ? at : size - 1] = 0;
        return at;
}
