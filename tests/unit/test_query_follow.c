/* SPDX-License-Identifier: MIT */
/*
 * Followers: which follower gets which closed span, and the markers for one that reads too slowly.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/query_fixture.h"

struct sink {
        struct fixture *fixture;
        struct query_follower *follower;
        size_t spans, markers, room;
        uint64_t dropped, bytes;
        char paths[256];
        bool leave;
};

static int take(void *userdata, const void *frame, size_t size) {
        struct sink *sink = userdata;
        struct wire_document *document;
        struct wire_value root;
        const void *message;
        struct table *table;
        uint64_t dropped = 0;
        size_t length;

        if (sink->leave) {
                sink->follower = query_follow_remove(sink->follower);
                return -EPIPE;
        }
        if (sink->room == 0)
                return -ENOBUFS;
        sink->room--;

        assert_int_equal(wire_frame(frame, size, WIRE_REQUEST_MAX, &message, &length), 1);
        assert_int_equal(length + WIRE_HEADER, size);
        assert_int_equal(wire_document_new(&document, message, length, WIRE_REQUEST_VALUES), 0);
        root = wire_root(document);
        if (wire_text_is(wire_at(root, 1), "span")) {
                assert_int_equal(table_decode_row(&table, "follow", wire_at(root, 2), length), 0);
                sink->spans++;
                sink->bytes += table_uint(table, 0, "alloc_bytes");
                strcat(strcat(sink->paths, table_text(table, 0, "path")), " ");
                table_free(table);
        } else {
                assert_true(wire_text_is(wire_at(root, 1), "marker"));
                assert_true(wire_text_is(wire_get(wire_at(root, 2), "reason"), "dropped"));
                assert_true(wire_get_uint(wire_get(wire_at(root, 2), "dropped"), &dropped));
                sink->markers++;
                sink->dropped += dropped;
        }
        wire_document_free(document);
        return 0;
}

static void follow(struct fixture *fixture, struct sink *sink, const struct query_peer *peer, ...) {
        struct wire_buffer request = WIRE_BUFFER_INIT(1024);
        va_list params;

        va_start(params, peer);
        put_request(&request, "follow", params);
        va_end(params);
        sink->fixture = fixture;
        assert_int_equal(query_answer(fixture->query, peer, request.data, request.size, &fixture->out), QUERY_FOLLOWS);
        assert_int_equal(
                query_follow_add(fixture->query, &sink->follower, peer, request.data, request.size, take, sink), 0);
        wire_buffer_deinit(&request);
}

static void test_followers_get_what_they_chose(void **state) {
        struct sink everything = {.room = 100}, mine = {.room = 100}, some = {.room = 100}, gone = {.leave = true};
        struct fixture *fixture = *state;

        follow(fixture, &everything, &all, NULL);
        follow(fixture, &gone, &all, NULL);
        follow(fixture, &mine, &user, NULL);
        follow(fixture, &some, &all, "filter", "dd", "pid#", "100", NULL);
        play(fixture, process_of(fixture, 0)->books);
        play(fixture, process_of(fixture, 1)->books);

        assert_int_equal(everything.spans, 8);
        assert_int_equal(everything.bytes, 2 * (100 + 30 + 10000 + 3000));
        assert_int_equal(mine.spans, 4);
        assert_string_equal(mine.paths, "request/parse request o\\/dd/parse o\\/dd ");
        assert_int_equal(some.spans, 2);
        assert_string_equal(some.paths, "o\\/dd/parse o\\/dd ");
        assert_null(gone.follower);

        query_follow_remove(everything.follower);
        play(fixture, process_of(fixture, 1)->books);
        assert_int_equal(everything.spans, 8);
        assert_int_equal(mine.spans, 8);
}

static void test_a_slow_follower_is_told(void **state) {
        struct fixture *fixture = *state;
        struct sink sink = {.room = 1};
        struct table *table;

        follow(fixture, &sink, &all, NULL);
        play(fixture, process_of(fixture, 0)->books);
        assert_int_equal(sink.spans, 1);
        query_follow_resume(sink.follower);
        assert_int_equal(sink.markers, 0);

        /* One place: the marker takes it, the event after it is dropped. */
        sink.room = 1;
        play(fixture, process_of(fixture, 1)->books);
        assert_int_equal(sink.spans, 1);
        assert_int_equal(sink.markers, 1);
        assert_int_equal(sink.dropped, 3);

        sink.room = 10;
        query_follow_resume(sink.follower);
        query_follow_resume(sink.follower);
        assert_int_equal(sink.markers, 2);
        assert_int_equal(sink.dropped, 7);

        table = table_as(fixture, &all, "status", NULL);
        assert_int_equal(table_uint(table, 0, "follow_dropped"), 7);
        table_free(table);
}

static void test_followers_are_bounded(void **state) {
        static struct sink sinks[QUERY_FOLLOWERS_MAX];
        struct fixture *fixture = *state;

        for (size_t i = 0; i < QUERY_FOLLOWERS_MAX; i++)
                follow(fixture, &sinks[i], &all, NULL);
        assert_error_as(fixture, &all, EUSERS, "followers", "follow", NULL);
        query_follow_remove(sinks[5].follower);
        follow(fixture, &sinks[5], &all, NULL);
}

int main(void) {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_followers_get_what_they_chose),
                TEST(test_a_slow_follower_is_told),
                TEST(test_followers_are_bounded),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
