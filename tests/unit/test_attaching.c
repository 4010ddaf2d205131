/* SPDX-License-Identifier: MIT */
/*
 * An attachment that is interrupted: by a signal handler's call, or by the end of the thread that attaches.
 *
 * Wrap: sa_intern_copy
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/segment/attaching.h"
#include "client/segment/intern.h"
#include "tests/unit/client_scenes.h"

static bool interrupts;
static spanalloc_span opened;

int __real_sa_intern_copy(struct sa_attachment *attachment);
int __wrap_sa_intern_copy(struct sa_attachment *attachment);
/* Between the attachment's publication and the epoch's. */
int __wrap_sa_intern_copy(struct sa_attachment *attachment) {
        if (interrupts) {
                opened = spanalloc_open(&site_s);
                interrupts = false;
        }
        return __real_sa_intern_copy(attachment);
}

static void handler_opens_a_span(void) {
        collector_is_replaced();
        interrupts = true;
        must(spanalloc_attach(NULL) == 0);
        must(!interrupts && !opened.instance);
        inner(3);
        expect_closed("i", 3, 3, 1);
        report->counters = 3;
        check();
}

static void *begins_to_attach(void *userdata) {
        must(sa_attaching_begin());
        post(&to_main);
        await(&to_a);
        return NULL;
}

static void attaching_thread_ends(void) {
        pthread_t thread;
        int r, tries = 0;

        init();
        thread = start(begins_to_attach, NULL);
        await(&to_main);
        must(spanalloc_attach(NULL) == -EAGAIN);
        post(&to_a);
        must(pthread_join(thread, NULL) == 0);
        while ((r = spanalloc_attach(NULL)) == -EAGAIN) { /* the kernel takes a moment to forget the thread */
                must(tries++ < 4000);
                pause_ms(5);
        }
        must(r == 0);
        inner(3);
        expect_closed("i", 3, 3, 1);
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(handler_opens_a_span),
                SCENARIO(attaching_thread_ends, .unattached = true),
        };

        return RUN_SCENES(argc, argv, tests);
}
