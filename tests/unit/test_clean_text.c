/* SPDX-License-Identifier: MIT */
/*
 * Text from strangers, made fit for terminals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean_text.h"

static void test_cases(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                {"handle request", "handle request"},
                {"a\033[31mred\n\t", "a?[31mred??"},
                {"\x7f\xc2\x85\xc2\xa0", "??\xc2\xa0"}, /* DEL, C1; a no-break space may stay */
                {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
                {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80"},
                {"\xc0\xaf\xe0\x80\xaf", "?????"},                     /* overlong */
                {"\xed\xa0\x80", "???"},                               /* surrogate */
                {"\xf4\x90\x80\x80\xf8\x88\x80\x80\x80", "?????????"}, /* beyond Unicode */
                {"x\xe2\x82", "x??"},                                  /* cut off */
                {"\xe2\x80\xae"
                 "evil\xe2\x81\xa6",
                 "?evil?"}, /* turns the direction */
                {"a\xe2\x80\xa8"
                 "b",
                 "a?b"},                                                  /* a line of its own */
                {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", "???"},              /* marks of direction */
                {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x81\xa9", "????"}, /* marks of direction, and an isolate's end */
                {"", "(unnamed)"},
        };
        char to[64];

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                assert_int_equal(text_clean(to, sizeof to, cases[i].in, strlen(cases[i].in)), strlen(cases[i].out));
                assert_string_equal(to, cases[i].out);
        }
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                const char *out = *cases[i].in ? cases[i].out : "";

                strcpy(to, cases[i].in);
                assert_int_equal(text_clean_in_place(to, strlen(to)), strlen(out));
                assert_string_equal(to, out);
        }
        memcpy(to, "a\0b\xff!", 5);
        assert_int_equal(text_clean_in_place(to, 4), 4); /* a zero is a control character */
        assert_string_equal(to, "a?b?");
        assert_int_equal(text_clean(to, sizeof to, "abc\0def", 7), 3);
        assert_int_equal(text_clean(to, sizeof to, "abcdef", 4), 4);
        assert_string_equal(to, "abcd");
        assert_int_equal(text_clean(to, 4, "", 0), 0); /* no room even for "(unnamed)" */
        assert_string_equal(to, "");
}

/* Straight from RFC 3629. */
static size_t naive_length(const unsigned char *s, size_t n) {
#define TAIL(i) (n > (i) && s[i] >= 0x80 && s[i] <= 0xbf)
        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf && TAIL(1))
                return 2;
        if (((s[0] == 0xe0 && n > 1 && s[1] >= 0xa0 && s[1] <= 0xbf) ||
             (((s[0] >= 0xe1 && s[0] <= 0xec) || s[0] == 0xee || s[0] == 0xef) && TAIL(1)) ||
             (s[0] == 0xed && n > 1 && s[1] >= 0x80 && s[1] <= 0x9f)) &&
            TAIL(2))
                return 3;
        if (((s[0] == 0xf0 && n > 1 && s[1] >= 0x90 && s[1] <= 0xbf) || (s[0] >= 0xf1 && s[0] <= 0xf3 && TAIL(1)) ||
             (s[0] == 0xf4 && n > 1 && s[1] >= 0x80 && s[1] <= 0x8f)) &&
            TAIL(2) && TAIL(3))
                return 4;
        return 0;
}

static void test_random_bytes(void **state) {
        srandom(1);
        for (int i = 0; i < 300000; i++) {
                size_t n = (size_t)random() % 40, length;
                char *from = malloc(n + 1), *to = malloc(n + 12); /* of the exact size: a read too far is seen */

                for (size_t k = 0; k < n; k++)
                        from[k] = (char)(random() % 3 ? random() : 0xc0 | random() % 64);
                length = text_clean(to, n + 12, from, n);
                assert_int_equal(strlen(to), length);
                assert_true(length <= n || !strcmp(to, "(unnamed)"));
                for (size_t k = 0; k < length;) {
                        size_t l = naive_length((unsigned char *)to + k, length - k);

                        assert_int_not_equal(l, 0);
                        assert_true((unsigned char)to[k] >= 0x20 && to[k] != 0x7f);
                        k += l;
                }
                /* What is clean stays as it is. */
                if (length <= n) {
                        char again[64];

                        assert_int_equal(text_clean(again, sizeof again, to, length), length);
                        assert_string_equal(again, to);
                }
                free(from);
                free(to);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cases),
                cmocka_unit_test(test_random_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
