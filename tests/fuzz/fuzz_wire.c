/* SPDX-License-Identifier: MIT */
/*
 * Foreign bytes into the scan and the decoder: no crash, no read beyond the end, and no promise broken.
 *
 * LLVMFuzzerTestOneInput for a fuzzing engine or support/fuzz_main.c; -DFUZZ_MAIN makes a program that replays files.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

static volatile char last; /* so that texts are read */

/* Reads every value through each accessor; returns how many there are. */
static size_t read_all(struct wire_value value, unsigned depth) {
        size_t values = 1, size;
        const char *text;
        char copy[32];
        uint64_t u;
        int64_t i;
        bool b;

        REQUIRE(depth <= WIRE_DEPTH_MAX);
        REQUIRE(wire_type(value) != WIRE_NONE);
        wire_get_bool(value, &b);
        wire_get_uint(value, &u);
        wire_get_int(value, &i);
        wire_copy_text(value, copy, sizeof(copy));
        if (wire_get_text(value, &text, &size))
                for (size_t n = 0; n < size; n++)
                        last = text[n];

        if (wire_type(value) == WIRE_ARRAY)
                for (uint32_t n = 0; n < wire_count(value); n++)
                        values += read_all(wire_at(value, n), depth + 1);
        if (wire_type(value) == WIRE_MAP)
                for (uint32_t n = 0; n < wire_count(value); n++)
                        values += read_all(wire_key_at(value, n), depth + 1) +
                                  read_all(wire_value_at(value, n), depth + 1);
        REQUIRE(wire_type(wire_at(value, wire_count(value))) == WIRE_NONE);
        REQUIRE(wire_type(wire_key_at(value, wire_count(value))) == WIRE_NONE);
        REQUIRE(wire_type(wire_value_at(value, wire_count(value))) == WIRE_NONE);
        wire_get(value, "method");
        return values;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct wire_document *document = NULL;
        const void *message;
        size_t length;
        struct wire_cursor cursor;
        int scanned, r;
        bool whole;

        r = wire_frame(data, size, WIRE_REQUEST_MAX, &message, &length);
        REQUIRE(r <= 0 || length + WIRE_HEADER <= size);

        scanned = wire_scan(data, size, WIRE_DEPTH_MAX);
        r = wire_document_new(&document, data, size, WIRE_ANSWER_MAX);
        REQUIRE((scanned == 0) == (r == 0));
        if (r == 0)
                REQUIRE(read_all(wire_root(document), 0) <= size);
        wire_document_free(document);

        /* In one pass it is the same: but for depth, which needs no bound there. */
        cursor = (struct wire_cursor){data, size};
        whole = wire_cursor_skip(&cursor);
        REQUIRE(scanned == -ELOOP || (scanned == 0) == (whole && cursor.left == 0));
        return 0;
}

#ifdef FUZZ_MAIN
int main(int argc, char **argv) {
        static uint8_t bytes[1 << 20];

        for (int i = 1; i < argc; i++) {
                FILE *file = fopen(argv[i], "rb");

                if (!file) {
                        perror(argv[i]);
                        return 1;
                }
                LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof(bytes), file));
                fclose(file);
        }
        return 0;
}
#endif
