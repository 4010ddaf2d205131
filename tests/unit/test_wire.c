/* SPDX-License-Identifier: MIT */
/*
 * The wire: bombs stop at the scan, random bytes get msgpack-c's own verdict, and what is written is read again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/wire/columns.h"
#include "daemon/wire/wire.h"

#define SCAN(...)                                                                                                      \
        ({                                                                                                             \
                const unsigned char bytes_[] = {__VA_ARGS__};                                                          \
                wire_scan(bytes_, sizeof(bytes_), WIRE_DEPTH_MAX);                                                     \
        })

/* ------------------------------------------------------------------------------------------------------- scan -- */

static void test_scan_takes_whole_objects(void **state) {
        assert_int_equal(SCAN(0xc0), 0);
        assert_int_equal(SCAN(0x90), 0);
        assert_int_equal(SCAN(0x80), 0);
        assert_int_equal(SCAN(0xa0), 0);
        assert_int_equal(SCAN(0xc4, 0), 0);
        assert_int_equal(SCAN(0xc7, 0, 5), 0);
        assert_int_equal(SCAN(0xd4, 5, 1), 0);
        assert_int_equal(SCAN(0xdd, 0, 0, 0, 0), 0);
        assert_int_equal(SCAN(0xdf, 0, 0, 0, 1, 0xa1, 'k', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0), 0);
        assert_int_equal(SCAN(0x94, 0x00, 0x01, 0xa2, 'p', 's', 0x81, 0xa3, 'p', 'i', 'd', 0xcd, 1, 2), 0);
        assert_int_equal(SCAN(0x93, 0x90, 0x80, 0x91, 0x90), 0);
}

static void test_scan_refuses_bombs(void **state) {
        assert_int_equal(SCAN(0xdd, 0xff, 0xff, 0xff, 0xff), -EBADMSG);                         /* array32 */
        assert_int_equal(SCAN(0xdf, 0xff, 0xff, 0xff, 0xff), -EBADMSG);                         /* map32 */
        assert_int_equal(SCAN(0xdf, 0x80, 0, 0, 0), -EBADMSG);                                  /* 2 x 2^31 */
        assert_int_equal(SCAN(0xdb, 0xff, 0xff, 0xff, 0xff), -EBADMSG);                         /* str32 */
        assert_int_equal(SCAN(0xc6, 0xff, 0xff, 0xff, 0xff), -EBADMSG);                         /* bin32 */
        assert_int_equal(SCAN(0xc9, 0xff, 0xff, 0xff, 0xff, 0x01), -EBADMSG);                   /* ext32 */
        assert_int_equal(SCAN(0xdc, 0xff, 0xff, 0xc0), -EBADMSG);                               /* array16 */
        assert_int_equal(SCAN(0xde, 0xff, 0xff, 0xc0), -EBADMSG);                               /* map16 */
        assert_int_equal(SCAN(0x92, 0xdd, 0, 0, 0, 2, 0xc0), -EBADMSG);                         /* within */
        assert_int_equal(SCAN(0x91, 0xdd, 0x10, 0, 0, 0, 0xdd, 0x10, 0, 0, 0, 0xc0), -EBADMSG); /* twice */
}

static void test_scan_refuses_what_is_not_one_object(void **state) {
        static const unsigned char whole[] = {0x94, 0x00, 0x01, 0xa2, 'p', 's', 0x81, 0xa3, 'p', 'i',
                                              'd',  0xcf, 0,    0,    0,   0,   0,    0,    1,   2};

        assert_int_equal(wire_scan(NULL, 0, WIRE_DEPTH_MAX), -EBADMSG);
        assert_int_equal(SCAN(0xc1), -EBADMSG);
        assert_int_equal(SCAN(0xc0, 0xc0), -EBADMSG);
        assert_int_equal(SCAN(0x90, 0x00), -EBADMSG);

        assert_int_equal(wire_scan(whole, sizeof(whole), WIRE_DEPTH_MAX), 0);
        for (size_t size = 0; size < sizeof(whole); size++) {
                /* A copy of just that size: the address sanitizer sees what a shorter array would hide. */
                unsigned char *cut = malloc(size + !size);

                memcpy(cut, whole, size);
                assert_int_equal(wire_scan(cut, size, WIRE_DEPTH_MAX), -EBADMSG);
                free(cut);
        }
}

static void test_scan_bounds_depth(void **state) {
        unsigned char deep[WIRE_DEPTH_MAX + 2];
        static unsigned char abyss[WIRE_REQUEST_MAX];

        memset(deep, 0x91, sizeof(deep));
        deep[WIRE_DEPTH_MAX] = 0xc0;
        assert_int_equal(wire_scan(deep, WIRE_DEPTH_MAX + 1, WIRE_DEPTH_MAX), 0);

        deep[WIRE_DEPTH_MAX] = 0x91;
        deep[WIRE_DEPTH_MAX + 1] = 0xc0;
        assert_int_equal(wire_scan(deep, WIRE_DEPTH_MAX + 2, WIRE_DEPTH_MAX), -ELOOP);
        deep[WIRE_DEPTH_MAX] = 0x90;
        assert_int_equal(wire_scan(deep, WIRE_DEPTH_MAX + 1, WIRE_DEPTH_MAX), -ELOOP);

        memset(abyss, 0x91, sizeof(abyss));
        assert_int_equal(wire_scan(abyss, sizeof(abyss), WIRE_DEPTH_MAX), -ELOOP);
        assert_int_equal(wire_scan(abyss, sizeof(abyss), UINT32_MAX), -ELOOP);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

/* Half of the bytes are heads of containers and sized types with small counts: else hardly any input is whole. */
static size_t random_message(unsigned char *bytes, size_t max) {
        static const unsigned char heads[] = {0x90, 0x91, 0x92, 0x93, 0x80, 0x81, 0x82, 0xa1, 0xa2, 0xc0, 0xc2,
                                              0xc4, 0xc5, 0xc7, 0xca, 0xcc, 0xcd, 0xcf, 0xd0, 0xd3, 0xd4, 0xd9,
                                              0xda, 0xdc, 0xdd, 0xde, 0xdf, 0xff, 0x00, 0x01, 0x02, 0xc1};
        size_t size = 1 + next_random() % max;

        for (size_t i = 0; i < size; i++) {
                uint64_t random = next_random();

                bytes[i] = random & 0x100   ? heads[(random >> 16) % sizeof(heads)]
                           : random & 0x600 ? (unsigned char)(random & 0x01)
                                            : (unsigned char)random;
        }
        return size;
}

/* Whether msgpack-c may be asked: not for counts that would make it reserve gigabytes. */
static bool is_small(const unsigned char *bytes, size_t size) {
        for (size_t i = 0; i + 2 < size; i++)
                if ((bytes[i] == 0xdd || bytes[i] == 0xdf) && (bytes[i + 1] || bytes[i + 2]))
                        return false;

        return true;
}

static bool decoder_takes(const unsigned char *bytes, size_t size) {
        msgpack_unpacked unpacked;
        msgpack_unpack_return got;
        size_t offset = 0;

        msgpack_unpacked_init(&unpacked);
        got = msgpack_unpack_next(&unpacked, (const char *)bytes, size, &offset);
        msgpack_unpacked_destroy(&unpacked);
        return got == MSGPACK_UNPACK_SUCCESS && offset == size;
}

static void test_scan_agrees_with_the_decoder(void **state) {
        size_t whole = 0, compared = 0;
        unsigned char bytes[24];

        for (unsigned i = 0; i < 1000000; i++) {
                size_t size = random_message(bytes, sizeof(bytes));
                int scanned = wire_scan(bytes, size, WIRE_DEPTH_MAX);
                struct wire_document *document = NULL;

                if (scanned == -ELOOP)
                        continue;
                if (scanned == 0 || is_small(bytes, size)) {
                        assert_int_equal(decoder_takes(bytes, size), scanned == 0);
                        compared++;
                }
                assert_int_equal(wire_document_new(&document, bytes, size, SIZE_MAX), scanned);
                whole += scanned == 0;
                wire_document_free(document);
        }
        assert_true(compared > 500000);
        assert_true(whole > 10000);
}

/* ------------------------------------------------------------------------------------------------ round trips -- */

static void test_values_come_back(void **state) {
        struct wire_buffer buffer = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX);
        struct wire_document *document;
        struct wire_value root, map;
        const void *message;
        char text[8];
        size_t size, mark, array;
        uint64_t u;
        int64_t i;
        bool b;

        mark = wire_begin(&buffer);
        array = wire_begin_array(&buffer);
        wire_put_nil(&buffer);
        wire_put_bool(&buffer, true);
        wire_put_uint(&buffer, UINT64_MAX);
        wire_put_int(&buffer, INT64_MIN);
        wire_put_int(&buffer, 7);
        wire_put_text(&buffer, "name");
        wire_put_text(&buffer, NULL);
        wire_put_text_n(&buffer, "a\0b", 3);
        wire_put_map(&buffer, 2);
        wire_put_text(&buffer, "one");
        wire_put_uint(&buffer, 1);
        wire_put_text(&buffer, "two");
        wire_put_array(&buffer, 1);
        wire_put_uint(&buffer, 2);
        wire_end_array(&buffer, array, 9);
        assert_int_equal(wire_end(&buffer, mark), 0);

        assert_int_equal(wire_frame(buffer.data, buffer.size, WIRE_REQUEST_MAX, &message, &size), 1);
        assert_int_equal(size, buffer.size - WIRE_HEADER);
        assert_int_equal(wire_document_new(&document, message, size, WIRE_REQUEST_VALUES), 0);
        root = wire_root(document);
        assert_int_equal(wire_count(root), 9);
        assert_int_equal(wire_type(wire_at(root, 0)), WIRE_NIL);
        assert_true(wire_get_bool(wire_at(root, 1), &b) && b);
        assert_true(wire_get_uint(wire_at(root, 2), &u) && u == UINT64_MAX);
        assert_false(wire_get_int(wire_at(root, 2), &i));
        assert_true(wire_get_int(wire_at(root, 3), &i) && i == INT64_MIN);
        assert_false(wire_get_uint(wire_at(root, 3), &u));
        assert_true(wire_get_int(wire_at(root, 4), &i) && i == 7);
        assert_true(wire_get_uint(wire_at(root, 4), &u) && u == 7);
        assert_true(wire_text_is(wire_at(root, 5), "name"));
        assert_false(wire_copy_text(wire_at(root, 5), text, 4));
        assert_true(wire_copy_text(wire_at(root, 5), text, 5));
        assert_string_equal(text, "name");
        assert_true(wire_text_is(wire_at(root, 6), ""));
        assert_false(wire_copy_text(wire_at(root, 7), text, sizeof(text)));
        map = wire_at(root, 8);
        assert_int_equal(wire_type(map), WIRE_MAP);
        assert_int_equal(wire_count(map), 2);
        assert_true(wire_text_is(wire_key_at(map, 1), "two"));
        assert_true(wire_get_uint(wire_at(wire_get(map, "two"), 0), &u) && u == 2);
        assert_int_equal(wire_type(wire_get(map, "three")), WIRE_NONE);
        assert_int_equal(wire_type(wire_at(root, 9)), WIRE_NONE);
        assert_int_equal(wire_type(wire_at(wire_get(wire_at(root, 99), "x"), 1)), WIRE_NONE);

        wire_document_free(document);
        wire_buffer_deinit(&buffer);
}

/* The same bytes, read by the document and in one pass, hold the same. */
static void read_alike(struct wire_value value, struct wire_cursor *cursor) {
        struct wire_item item;
        const char *text;
        size_t size;
        uint64_t u;
        int64_t i;
        bool b;

        assert_true(wire_cursor_next(cursor, &item));
        assert_int_equal(item.type, wire_type(value));
        if (wire_get_bool(value, &b))
                assert_int_equal(item.u, b);
        if (wire_get_uint(value, &u))
                assert_true(item.u == u);
        if (wire_type(value) == WIRE_INT && wire_get_int(value, &i))
                assert_true(item.i == i);
        if (wire_get_text(value, &text, &size)) {
                assert_int_equal(item.size, size);
                assert_memory_equal(item.text, text, size);
        }
        if (item.type == WIRE_ARRAY || item.type == WIRE_MAP)
                assert_int_equal(item.u, wire_count(value));
        for (uint32_t n = 0; item.type == WIRE_ARRAY && n < item.u; n++)
                read_alike(wire_at(value, n), cursor);
        for (uint32_t n = 0; item.type == WIRE_MAP && n < item.u; n++) {
                read_alike(wire_key_at(value, n), cursor);
                read_alike(wire_value_at(value, n), cursor);
        }
}

static void test_cursor(void **state) {
        static const int64_t numbers[] = {
                0,      1,         127,       128,       255,       256,        65535,
                65536,  -1,        -32,       -33,       -128,      -129,       -32768,
                -32769, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, UINT32_MAX, INT64_C(1) << 32,
                -40000};
        static const unsigned char positive_int8[] = {0xd0, 5}, lie[] = {0x92, 0xc0}, cut[] = {0xa3, 'a', 'b'};
        struct wire_buffer out = WIRE_BUFFER_INIT(1 << 20);
        struct wire_document *document;
        struct wire_cursor cursor;
        struct wire_item item;
        char text[70000];

        memset(text, 'x', sizeof(text));
        wire_put_array(&out, 6);
        wire_put_array(&out, sizeof(numbers) / sizeof(numbers[0]));
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                wire_put_int(&out, numbers[i]);
        wire_put_map(&out, 4);
        for (size_t size = 0, i = 0; i < 4; i++, size = i == 1 ? 40 : i == 2 ? 300 : sizeof(text)) {
                wire_put_uint(&out, UINT64_MAX - i);
                wire_put_text_n(&out, text, size);
        }
        wire_put_nil(&out);
        wire_put_bool(&out, true);
        wire_put_array(&out, 20);
        for (int i = 0; i < 20; i++)
                wire_put_bool(&out, i & 1);
        wire_put_array(&out, 0);

        assert_int_equal(wire_document_new(&document, out.data, out.size, 1000), 0);
        cursor = (struct wire_cursor){out.data, out.size};
        read_alike(wire_root(document), &cursor);
        assert_int_equal(cursor.left, 0);
        assert_false(wire_cursor_next(&cursor, &item));
        wire_document_free(document);
        for (size_t size = 0; size < out.size; size += size < 200 ? 1 : 997) {
                cursor = (struct wire_cursor){out.data, size};
                assert_false(wire_cursor_skip(&cursor));
        }
        cursor = (struct wire_cursor){out.data, out.size};
        assert_true(wire_cursor_skip(&cursor));
        assert_int_equal(cursor.left, 0);
        wire_buffer_deinit(&out);

        cursor = (struct wire_cursor){positive_int8, 2};
        assert_true(wire_cursor_next(&cursor, &item) && item.type == WIRE_UINT && item.u == 5);
        cursor = (struct wire_cursor){lie, 2};
        assert_false(wire_cursor_next(&cursor, &item));
        cursor = (struct wire_cursor){cut, 3};
        assert_false(wire_cursor_next(&cursor, &item));
}

/* Many numbers at once are written as one after another, also where only some of them find room. */
static void test_numbers_at_once(void **state) {
        static const struct { uint64_t a, b, c, d; } numbers = {5, 70000, UINT64_MAX, 127};
        static const uint16_t offsets[] = {24, 0, 8, 16, 8};

        for (size_t limit = 0; limit < 40; limit++) {
                struct wire_buffer one = WIRE_BUFFER_INIT(limit), all = WIRE_BUFFER_INIT(limit);

                wire_put_uint(&one, 127);
                wire_put_uint(&one, 5);
                wire_put_uint(&one, 70000);
                wire_put_uint(&one, UINT64_MAX);
                wire_put_uint(&one, 70000);
                wire_put_uints(&all, &numbers, offsets, 5);
                assert_int_equal(all.error, one.error);
                assert_int_equal(all.size, one.size);
                assert_int_equal(all.error, limit < 21 ? -EMSGSIZE : 0);
                if (all.size)
                        assert_memory_equal(all.data, one.data, all.size);
                assert_true(all.allocated <= limit);
                wire_buffer_deinit(&one);
                wire_buffer_deinit(&all);
        }
}

/* Every form, written as the format's specification has it, in the shortest one. */
static void test_forms(void **state) {
        static const struct {
                int64_t value;
                const char *bytes;
                size_t size;
        } numbers[] = {
                {127, "\x7f", 1},
                {128, "\xcc\x80", 2},
                {255, "\xcc\xff", 2},
                {256, "\xcd\x01\x00", 3},
                {65535, "\xcd\xff\xff", 3},
                {65536, "\xce\x00\x01\x00\x00", 5},
                {UINT32_MAX, "\xce\xff\xff\xff\xff", 5},
                {INT64_C(1) << 32, "\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 9},
                {-1, "\xff", 1},
                {-32, "\xe0", 1},
                {-33, "\xd0\xdf", 2},
                {-128, "\xd0\x80", 2},
                {-129, "\xd1\xff\x7f", 3},
                {-32768, "\xd1\x80\x00", 3},
                {-32769, "\xd2\xff\xff\x7f\xff", 5},
                {INT32_MIN, "\xd2\x80\x00\x00\x00", 5},
                {INT64_MIN, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9},
        };
        struct wire_buffer out = WIRE_BUFFER_INIT(1 << 20);
        static char text[65536];
        size_t at = 0;

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++, at = out.size) {
                wire_put_int(&out, numbers[i].value);
                assert_int_equal(out.size - at, numbers[i].size);
                assert_memory_equal(out.data + at, numbers[i].bytes, numbers[i].size);
        }
        for (size_t i = 0; i < 4; i++, at = out.size) {
                static const size_t sizes[] = {31, 32, 256, 65536};
                static const unsigned char heads[] = {0xbf, 0xd9, 0xda, 0xdb};

                wire_put_text_n(&out, text, sizes[i]);
                assert_int_equal(out.data[at], heads[i]);
                assert_int_equal(out.size - at, sizes[i] + 1 + (i == 3 ? 4 : i));
        }
        for (size_t i = 0; i < 3; i++, at = out.size) {
                static const uint32_t counts[] = {15, 65535, 65536};
                static const unsigned char arrays[] = {0x9f, 0xdc, 0xdd}, maps[] = {0x8f, 0xde, 0xdf};

                wire_put_array(&out, counts[i]);
                wire_put_map(&out, counts[i]);
                assert_int_equal(out.data[at], arrays[i]);
                assert_int_equal(out.data[(at + out.size) / 2], maps[i]);
        }
        wire_buffer_deinit(&out);
}

static void test_document_bounds_values(void **state) {
        static const unsigned char bytes[] = {0x93, 0x01, 0x81, 0x02, 0x03, 0x04}; /* 6 values */
        struct wire_document *document;

        assert_int_equal(wire_document_new(&document, bytes, sizeof(bytes), 5), -E2BIG);
        assert_int_equal(wire_document_new(&document, bytes, sizeof(bytes), 6), 0);
        wire_document_free(document);
}

/* ----------------------------------------------------------------------------------------- buffers and frames -- */

static void test_buffer_keeps_its_limit(void **state) {
        struct wire_buffer buffer = WIRE_BUFFER_INIT(64);
        char text[100] = {0};
        size_t mark;

        mark = wire_begin(&buffer);
        wire_put_uint(&buffer, 1);
        assert_int_equal(wire_end(&buffer, mark), 0);
        assert_int_equal(buffer.size, 5);

        mark = wire_begin(&buffer);
        wire_put_text_n(&buffer, text, sizeof(text));
        wire_put_uint(&buffer, 2); /* would fit, but what comes before it did not */
        assert_int_equal(wire_end(&buffer, mark), -EMSGSIZE);
        assert_int_equal(buffer.size, 5);
        assert_int_equal(buffer.error, 0);

        mark = wire_begin(&buffer);
        wire_put_text_n(&buffer, text, 64 - 5 - 4 - 2);
        assert_int_equal(wire_end(&buffer, mark), 0);
        assert_int_equal(buffer.size, 64);
        assert_true(buffer.allocated <= 64);
        assert_int_equal(wire_buffer_append(&buffer, "x", 1), -EMSGSIZE);
        wire_buffer_deinit(&buffer);
}

static void test_buffer_consumes_from_the_front(void **state) {
        struct wire_buffer buffer = WIRE_BUFFER_INIT(1 << 20);
        static char large[300000];

        assert_int_equal(wire_buffer_append(&buffer, "abcdef", 6), 0);
        wire_buffer_consume(&buffer, 0);
        wire_buffer_consume(&buffer, 2);
        assert_int_equal(buffer.size, 4);
        assert_memory_equal(buffer.data, "cdef", 4);
        wire_buffer_consume(&buffer, 4);
        assert_int_equal(buffer.size, 0);
        assert_non_null(buffer.data);

        assert_int_equal(wire_buffer_append(&buffer, large, sizeof(large)), 0);
        wire_buffer_consume(&buffer, sizeof(large));
        assert_null(buffer.data);
        wire_buffer_deinit(&buffer);
}

static void test_frames(void **state) {
        const unsigned char two[] = {1, 0, 0, 0, 0xc0, 2, 0, 0, 0, 0x91, 0xc0};
        const unsigned char empty[] = {0, 0, 0, 0}, large[] = {0xff, 0xff, 0xff, 0xff};
        const void *message;
        size_t size;

        for (size_t n = 0; n < 5; n++)
                assert_int_equal(wire_frame(two, n, 16, &message, &size), 0);
        assert_int_equal(wire_frame(two, sizeof(two), 16, &message, &size), 1);
        assert_ptr_equal(message, two + 4);
        assert_int_equal(size, 1);
        assert_int_equal(wire_frame(two + 5, 6, 16, &message, &size), 1);
        assert_int_equal(size, 2);
        assert_int_equal(wire_frame(two + 5, 6, 1, &message, &size), -EMSGSIZE);
        assert_int_equal(wire_frame(empty, 4, 16, &message, &size), -EMSGSIZE);
        assert_int_equal(wire_frame(large, 4, WIRE_ANSWER_MAX, &message, &size), -EMSGSIZE);
}

static void test_columns(void **state) {
        const struct wire_columns *spans = wire_columns("spans");

        assert_null(wire_columns("nothing"));
        assert_int_equal(spans->count, WIRE_SPANS_COUNT);
        assert_int_equal(wire_columns_find(spans, "process"), 0);
        assert_int_equal(wire_columns_find(spans, "net_bytes"), WIRE_SPANS_net_bytes);
        assert_int_equal(wire_columns_find(spans, "nothing"), -1);
        assert_int_equal(spans->columns[WIRE_SPANS_net_bytes].type, WIRE_COLUMN_INT);
        assert_int_equal(wire_columns("ps")->columns[WIRE_PS_outside_threads].type, WIRE_COLUMN_MAP);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_scan_takes_whole_objects),
                cmocka_unit_test(test_scan_refuses_bombs),
                cmocka_unit_test(test_scan_refuses_what_is_not_one_object),
                cmocka_unit_test(test_scan_bounds_depth),
                cmocka_unit_test(test_scan_agrees_with_the_decoder),
                cmocka_unit_test(test_values_come_back),
                cmocka_unit_test(test_cursor),
                cmocka_unit_test(test_document_bounds_values),
                cmocka_unit_test(test_numbers_at_once),
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_buffer_keeps_its_limit),
                cmocka_unit_test(test_buffer_consumes_from_the_front),
                cmocka_unit_test(test_frames),
                cmocka_unit_test(test_columns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
