/* SPDX-License-Identifier: MIT */
/*
 * A service with a leak, to be found with docs/finding-a-leak.md.  It serves a request each millisecond: it looks up a
 * session, renders a page, and frees the page.  A session of a visitor who never comes back is never freed.
 *
 *     leak [REQUESTS]       default: without end
 */
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 2000, SESSION = 300, VISITORS = 4096 };

struct session {
        struct session *next;
        unsigned visitor;
        char data[SESSION];
};

static struct session *sessions[VISITORS];

static struct session *find_session(unsigned visitor) {
        SPANALLOC_SCOPE("session");
        struct session **bucket = &sessions[visitor % VISITORS], *session;

        for (session = *bucket; session && session->visitor != visitor;)
                session = session->next;
        if (session)
                return session;
        session = calloc(1, sizeof(*session)); /* the leak */
        if (!session)
                return NULL;
        session->visitor = visitor;
        session->next = *bucket;
        return *bucket = session;
}

static char *render(const struct session *session) {
        SPANALLOC_SCOPE("render");
        char *page = malloc(PAGE);

        if (page)
                snprintf(page, PAGE, "<p>Hello, visitor %u</p>", session->visitor);
        return page;
}

static void serve(unsigned visitor) {
        SPANALLOC_SCOPE("request");
        const struct session *session = find_session(visitor);
        char *page = session ? render(session) : NULL;

        free(page); /* sent */
}

int main(int argc, char **argv) {
        unsigned long requests = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;

        for (unsigned long n = 0; !requests || n < requests; n++) {
                serve(n % 2 ? (unsigned)n : 0);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
}
