/* SPDX-License-Identifier: MIT */
/*
 * static_scribbler WAY: attaches by the rules, then breaks them in the way WAY, until it is ended or for ROUNDS.
 *
 *     bytes    random bytes anywhere in its segment
 *     back     moves the position of a ring back
 *     far      moves it further than the ring is long
 *     lanes    claims every lane that there is, and fills them with what looks like threads
 *     more     claims more lanes than there are
 *     names    a new name in each span, for ever
 *     holes    punches holes into its segment while it opens spans
 *     bell     rings the collector's bell without end
 *     fork     a thousand children, one after the other, each with spans of its own
 *     attach   connects to the ingest socket again and again, blocking, says junk or nothing, reads no answer
 *
 * The offsets are those of docs/shm-format.md.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

enum { LANES_CLAIMED = 128, BELL = 192, LANE_BYTES = 8192, OCCUPANCY = 64, HEAD = 192, LIVE = 256 };

static char *segment;
static uint64_t size, lanes_offset;
static uint32_t lane_capacity;
static unsigned seed;

/* Its own segment is among its mappings, and writable. */
static void find_segment(void) {
        FILE *file = fopen("/proc/self/maps", "r");
        char line[512];
        unsigned long from, to, offset;

        while (file && fgets(line, sizeof line, file))
                if (strstr(line, "rw-s") && strstr(line, "/memfd:spanalloc ") &&
                    sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && offset == 0)
                        segment = (char *)from;
        if (file)
                fclose(file);
        if (!segment) {
                fputs("static_scribbler: no segment\n", stderr);
                exit(1);
        }
        /* The library maps the parts that it needs; this is all of it, beside them. */
        memcpy(&size, segment + 24, sizeof size);
        segment = mremap(segment, 0, size, MREMAP_MAYMOVE);
        if (segment == MAP_FAILED) {
                fputs("static_scribbler: the segment cannot be mapped\n", stderr);
                exit(1);
        }
        memcpy(&lane_capacity, segment + 24 + 20, sizeof lane_capacity);
        memcpy(&lanes_offset, segment + 24 + 64, sizeof lanes_offset);
}

static uint64_t dice(void) {
        return (uint64_t)rand_r(&seed) << 31 ^ (uint64_t)rand_r(&seed);
}

static char *lane(uint32_t i) {
        return segment + lanes_offset + (uint64_t)i * LANE_BYTES;
}

static void set64(char *at, uint64_t value) {
        __atomic_store_n((uint64_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static void set32(char *at, uint32_t value) {
        __atomic_store_n((uint32_t *)(void *)at, value, __ATOMIC_RELEASE);
}

static void span_of(const char *name) {
        spanalloc_span span = spanalloc_open(spanalloc_site_intern(name));

        spanalloc_enter(span);
        free(malloc(100));
        spanalloc_exit(span);
        spanalloc_close(span);
}

static void rest(long ns) {
        nanosleep(&(struct timespec){0, ns}, NULL);
}

/* Half its work is decent, so that the collector comes by. */
static void *decent(void *userdata) {
        for (;;) {
                span_of("scribbler");
                rest(100000);
        }
        return NULL;
}

static void bytes(void) {
        for (unsigned i = 0;; i++) {
                segment[128 + dice() % (size - 128)] = (char)dice();
                /* Most of the segment is empty: as many writes go to the lanes, which the collector reads. */
                lane((uint32_t)(dice() % 4))[dice() % LANE_BYTES] = (char)dice();
                if (i % 1000 == 0)
                        rest(1000000);
        }
}

static void claim_lanes(void) {
        set32(segment + LANES_CLAIMED, lane_capacity);
        for (;;) {
                for (uint32_t i = 8; i < lane_capacity; i++) {
                        set32(lane(i), 1 + (uint32_t)(dice() % 30000)); /* an owner */
                        set32(lane(i) + OCCUPANCY, (uint32_t)dice() & ~1u);
                        set64(lane(i) + LIVE, dice());
                }
                rest(1000000);
        }
}

static void names(void) {
        char name[160];

        for (unsigned long i = 0;; i++) {
                snprintf(name, sizeof name, "\033[31m%lu-%lx", i, (unsigned long)dice());
                span_of(name);
        }
}

static void holes(void) {
        long page = sysconf(_SC_PAGESIZE);

        for (;;) {
                uint64_t at = dice() % (size / (uint64_t)page) * (uint64_t)page;

                madvise(segment + at, (size_t)page * (1 + dice() % 16), MADV_REMOVE);
                madvise(lane(0), LANE_BYTES, MADV_REMOVE);
                rest(1000000);
        }
}

static void bell(void) {
        for (;;) {
                __atomic_fetch_add((uint32_t *)(void *)(segment + BELL), 1, __ATOMIC_SEQ_CST);
                syscall(SYS_futex, segment + BELL, FUTEX_WAKE, 1, NULL, NULL, 0);
        }
}

static void forks(void) {
        for (int i = 0; i < 1000; i++) {
                pid_t child = fork();

                if (child == 0) {
                        spanalloc_attach(NULL);
                        span_of("child");
                        _exit(0);
                }
                if (child > 0)
                        waitpid(child, NULL, 0);
        }
}

static void attach(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char junk[4096];

        strncpy(address.sun_path, path, sizeof address.sun_path - 1);
        for (int i = 0; i < 5000; i++) {
                int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0); /* blocking */

                if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
                        rest(1000000);
                } else if (i % 3) {
                        for (size_t k = 0; k < sizeof junk; k++)
                                junk[k] = (char)dice();
                        (void)!send(fd, junk, 1 + dice() % sizeof junk, MSG_NOSIGNAL);
                }
                /* A hundred stay open. */
                if (fd >= 0 && i % 50)
                        close(fd);
        }
}

int main(int argc, char **argv) {
        const char *way = argc > 1 ? argv[1] : "";
        pthread_t thread;

        seed = (unsigned)getpid();
        if (spanalloc_attach(NULL) < 0) {
                fputs("static_scribbler: not attached\n", stderr);
                return 1;
        }
        span_of("scribbler");
        find_segment();
        if (pthread_create(&thread, NULL, decent, NULL))
                return 1;
        rest(50000000);
        if (!strcmp(way, "bytes"))
                bytes();
        else if (!strcmp(way, "back"))
                set64(lane(0) + HEAD, 0);
        else if (!strcmp(way, "far"))
                set64(lane(0) + HEAD, UINT64_C(1) << 40);
        else if (!strcmp(way, "lanes"))
                claim_lanes();
        else if (!strcmp(way, "more"))
                set32(segment + LANES_CLAIMED, lane_capacity + 1);
        else if (!strcmp(way, "names"))
                names();
        else if (!strcmp(way, "holes"))
                holes();
        else if (!strcmp(way, "bell"))
                bell();
        else if (!strcmp(way, "fork"))
                forks();
        else if (!strcmp(way, "attach"))
                attach(getenv("SPANALLOC_SOCKET"));
        else
                return 2;
        for (;;)
                pause();
}
