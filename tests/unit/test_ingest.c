/* SPDX-License-Identifier: MIT */
/*
 * Connections that wait, since their user's share of a pass is used up, do not hold back those of another user.
 *
 * Wrap: getsockopt
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/collector/collector.h"
#include "shm/handshake.h"

enum { ALICE = 61001, BOB = 61002, CONNECTIONS = 32, OF_BOB = 3, TURN = 16 };

static unsigned accepted;

/* Bob's come among the first that are accepted in each of two turns; all others are Alice's.  The share of each is one
 * attach. */
static uid_t user_of(unsigned connection) {
        return connection == 0 || connection == TURN || connection == TURN + 1 ? BOB : ALICE;
}

int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *size) {
        int r = __real_getsockopt(fd, level, option, value, size);

        if (level == SOL_SOCKET && option == SO_PEERCRED && r == 0)
                ((struct ucred *)value)->uid = user_of(accepted++);
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
        /* An older kernel has none, and the user of a pid is looked up in /proc. */
        if (level == SOL_SOCKET && option == SO_PEERPIDFD && r < 0) {
                *(int *)value = (int)syscall(SYS_pidfd_open, getpid(), 0);
                r = 0;
        }
        return r;
}

static int listen_at(struct sockaddr_un *address) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof *address), 0);
        assert_int_equal(listen(fd, CONNECTIONS), 0);
        return fd;
}

static int say_hello(const struct sockaddr_un *address) {
        const struct shm_hello hello = {.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_ATTACH};
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (const struct sockaddr *)address, sizeof *address), 0);
        assert_int_equal(send(fd, &hello, sizeof hello, 0), sizeof hello);
        return fd;
}

static void look(void *userdata, enum collector_work work, uint64_t now_ns) {
        struct collector *collector = userdata;

        if (collector_process_count(collector) == CONNECTIONS)
                reactor_stop(collector_reactor(collector));
}

/* How many of Alice's were heard before Bob's last one. */
static unsigned wait_of_bob(const struct collector *collector) {
        const struct process *process;
        unsigned of_alice = 0, of_bob = 0;

        for (size_t i = 0; (process = collector_process(collector, i)); i++) {
                of_bob += process->uid == BOB;
                if (of_bob == OF_BOB)
                        break;
                of_alice += process->uid == ALICE;
        }
        assert_int_equal(of_bob, OF_BOB);
        return of_alice;
}

static void test_each_user_waits_for_its_own_share(void **state) {
        struct collector_options options = collector_options_default;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct reactor *reactor;
        struct collector *collector;
        int fds[CONNECTIONS], listen_fd;

        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "spanalloc-test-ingest-%d", (int)getpid());
        options.uid_max[QUOTA_RECORDS] = 1;
        assert_int_equal(reactor_new(&reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&collector, reactor, &options), 0);
        listen_fd = listen_at(&address);
        for (unsigned i = 0; i < CONNECTIONS; i++)
                fds[i] = say_hello(&address);
        assert_int_equal(collector_listen(collector, listen_fd), 0);
        collector_on_work(collector, look, collector);
        assert_int_equal(reactor_run(reactor), 0);
        /* One of Alice's at once, and one in each pass: two of these go by while Bob's are accepted, and two until all of
         * them are heard. */
        assert_in_range(wait_of_bob(collector), 1, 6);
        for (unsigned i = 0; i < CONNECTIONS; i++)
                close(fds[i]);
        collector_free(collector);
        reactor_free(reactor);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_user_waits_for_its_own_share),
        };

        return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
