/* SPDX-License-Identifier: MIT */
/*
 * Untrusted books: good ones, in which the input changes words anywhere.  Checksums are not tested: an attacker who
 * changes a file can also correct its checksum.
 *
 * Either the books are refused, or every query is answered from them, and the next records, closes and the end are
 * booked.
 *
 * An input is a list of changes: the offset in the data, in words of four bytes, and the new value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"
#include "daemon/books/last_open.h"
#include "daemon/drain/drain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 12, PATHS = 24, LANES = 4, SPANS = 24 };

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

static const struct books_limits limits = {.names = 16, .paths = 32, .lanes = 8, .instances = 32, .threads = 4};
static char *image;
static uint64_t image_size, pages[256]; /* pages: those that are not zero */
static unsigned page_count;

/* The words that may be changed: those of used records most of the time. */
static struct range { uint64_t at, size; } ranges[9];

static void put_names(struct books *books) {
        names_add_other(books);
        for (uint32_t id = 2; id <= NAMES; id++) {
                struct book_name name = {.line = id, .name_length = 4, .file_length = 3, .file = "a.c"};

                snprintf(name.name, sizeof name.name, "n-%02u", id);
                names_add(books, id, &name);
        }
        for (uint32_t path = 2; path <= PATHS; path++)
                names_add_path(books, path, path < 8 ? 0 : path / 2, 2 + path % (NAMES - 1));
}

static void put_lane(struct books *books, uint32_t i) {
        struct lane *lane = books_lane(books, i);

        touch(books, lane);
        lane->thread = i % 2;
        lane->depth = i + 1;
        for (uint32_t f = 0; f <= i; f++) {
                struct frame *frame = &lane->frames[f];
                uint32_t path = 2 + (i + f) % (PATHS - 2);

                *frame = (struct frame){.instance = 1 + f, .path = path, .name = books->tallies[path].name};
                frame->flags = FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE;
        }
}

static void put_spans(struct books *books) {
        for (uint32_t i = 0; i < SPANS; i++) {
                struct instance *entry = open_spans_make(books, 1 + i, 2 + i % (PATHS - 2));

                entry->flags |= INSTANCE_OPENED;
                if (i % 5 == 1)
                        open_spans_queue_close(books, entry, i % 2);
                tally_closed(books, tally_change(books, entry->path),
                             (struct counters){.allocs = {1, (uint64_t)i << i}}, 1);
        }
        for (uint32_t i = 0; i < SPANS; i += 5)
                open_spans_remove(books, open_spans_find(books, 1 + i));
}

static void make_books(void) {
        struct books *books;

        REQUIRE(books_new(&books, &limits, 1) == 0);
        books_begin(books, 2);
        put_names(books);
        thread_names_entry(books, (char[SHM_COMM_BYTES]){"worker"});
        books_set_lanes(books, LANES);
        for (uint32_t i = 0; i < LANES; i++)
                put_lane(books, i);
        put_spans(books);
        books_commit(books);
        image_size = books->arena.size;
        image = malloc(image_size);
        REQUIRE(image);
        memcpy(image, books->arena.base, image_size);
        for (uint64_t at = 0; at < image_size; at += 4096) {
                static const char zeros[4096];

                if (memcmp(image + at, zeros, sizeof zeros) == 0)
                        continue;
                REQUIRE(page_count < 256);
                pages[page_count++] = at;
        }
#define RANGE(from, bytes) {(uint64_t)((char *)(from)-books->arena.base), (bytes)}
        memcpy(ranges,
               (struct range[9]){
                       RANGE(books->book, sizeof *books->book),
                       RANGE(books->names, NAMES * sizeof *books->names),
                       RANGE(books->tallies, (PATHS + 2) * sizeof *books->tallies),
                       RANGE(books->lanes, LANES * sizeof *books->lanes),
                       RANGE(books->instances, (SPANS + 2) * sizeof *books->instances),
                       RANGE(books->index, 64 * sizeof *books->index),
                       RANGE(books->threads, 3 * sizeof *books->threads),
                       RANGE(books->arena.base, sizeof(struct arena_header)),
                       RANGE(books->arena.base, image_size),
               },
               sizeof ranges);
        books_free(books);
}

static int make_file(const uint8_t *data, size_t size) {
        int fd = memfd_create("books", MFD_CLOEXEC);

        REQUIRE(fd >= 0 && ftruncate(fd, (off_t)image_size) == 0);
        for (unsigned i = 0; i < page_count; i++)
                REQUIRE(pwrite(fd, image + pages[i], 4096, (off_t)pages[i]) == 4096);
        /* Of many changes one is refused, and the others are not tried. */
        for (int n = size ? 1 + data[size - 1] % 3 : 0; n && size >= 8; n--, data += 8, size -= 8) {
                const struct range *range = &ranges[data[0] % 9];
                uint32_t word;
                uint32_t value;

                memcpy(&word, data, sizeof word);
                memcpy(&value, data + 4, sizeof value);
                if (value & 0x80000000u) /* small numbers are what indices and lengths are */
                        value &= 0x3f;
                word >>= 8;
                REQUIRE(pwrite(fd, &value, sizeof value, (off_t)(range->at + word % (range->size / 4) * 4)) == 4);
        }
        return fd;
}

/* ---------------------------------------------------------------------------------------------------- what is done -- */

static void ask(const struct books *books) {
        struct books_process_row process;
        struct books_per_call per_call;
        const struct books_threads *threads;
        struct books_last last;
        uint64_t histogram[64], outside[SHM_COUNTERS];
        uint32_t count, path, paths;
        struct books_row row;
        const char *name;
        char text[64];
        double rate[3];

        books_process_row(books, &process);
        REQUIRE(books_names_in_order(books, &count) || !count);
        for (uint32_t id = 1; id <= books_name_count(books); id++) {
                books_name_row(books, id, 5, &row, &path, &paths);
                books_name_sums(books, id, 5, 1, &row, &path, &paths);
                books_name_per_call(books, id, &per_call);
                books_name_histogram(books, id, histogram);
                REQUIRE(strlen(books_name(books, id)) < SHM_NAME_BYTES);
                (void)books_threads_in(books, id, &threads);
        }
        for (path = 1; path <= books_path_count(books); path++) {
                books_path_row(books, path, 5, &row);
                books_path_per_call(books, path, &per_call);
                books_path_rates(books, path, 5, rate);
                books_path_text(books, path, text, sizeof text);
        }
        for (uint32_t i = 0; books_thread_row(books, i, &name, outside); i++) {
                REQUIRE(strlen(name) < SHM_COMM_BYTES);
                for (uint64_t since_ns = 0; since_ns < 3; since_ns++)
                        books_outside_row(books, i, 5, since_ns, &row);
        }
        for (uint32_t i = 0; books_last_row(books, i, &last); i++)
                books_path_text(books, last.path, text, sizeof text);
}

static void work(struct books *books) {
        books_begin(books, UINT64_C(1) << 40);
        for (uint32_t i = 0; i < 80; i++) {
                struct instance *entry = open_spans_find(books, 1 + i);

                if (!entry)
                        entry = open_spans_make(books, 1 + i, 1 + i % 2);
                if (i % 3 == 0)
                        open_spans_queue_close(books, entry, i % 2);
        }
        for (int i = 0; i < 4; i++) {
                while (open_spans_next_close(books))
                        ;
                open_spans_advance_queue(books);
        }
        books_commit(books);
        books_begin(books, UINT64_C(1) << 41);
        books_mark(books, UINT64_C(1) << 41);
        books_commit(books);
        books_reset(books, UINT64_C(1) << 41);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct books *books;

        if (!image)
                make_books();
        if (books_adopt(&books, make_file(data, size)) < 0)
                return 0;
        if (books_verify(books) == 0) {
                ask(books);
                work(books);
                ask(books);
                drain_abandon(books, UINT64_C(1) << 42);
                ask(books);
        } else {
                REQUIRE(size >= 8);
        }
        books_free(books);
        return 0;
}
