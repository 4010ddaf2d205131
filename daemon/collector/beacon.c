/* SPDX-License-Identifier: MIT */
/*
 * The beacon's file or memfd, its mapping, and the two words in it.
 *
 * An existing file is taken over in place, since clients of the collector before map it and wait for a new generation;
 * but only if it is a regular file of this process's user.
 */
#include "daemon/collector/beacon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "shm/layout.h"

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct beacon {
        struct shm_beacon *page;
        int read_fd, write_fd;
        uint32_t generation;
};

static int open_file(const char *path) {
        struct stat st;
        int fd;

        fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
                return fd;
        close_fd(fd);
        if (unlink(path) < 0 && errno != ENOENT)
                return -errno;
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        return fd < 0 ? -errno : fd;
}

static int map_page(struct beacon *beacon, int fd) {
        void *page;
        /* Never smaller: a client may have all of it mapped.  With room on the file system, or a store into it is a
         * SIGBUS. */
        int r = -posix_fallocate(fd, 0, SHM_PAGE);

        if (r < 0)
                return r;
        page = mmap(NULL, SHM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        beacon->page = page;
        return 0;
}

static int make_file(struct beacon *beacon, const char *dir) {
        char path[4096];
        int fd, r;

        if (snprintf(path, sizeof path, "%s/beacon", dir) >= (int)sizeof path)
                return -ENAMETOOLONG;
        fd = open_file(path);
        if (fd < 0)
                return fd;
        r = map_page(beacon, fd);
        /* The umask has no say: every user's programs read it. */
        if (r == 0 && fchmod(fd, 0644) < 0)
                r = -errno;
        if (r == 0) {
                beacon->read_fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
                r = beacon->read_fd < 0 ? -errno : 0;
        }
        if (r < 0)
                close(fd);
        else
                beacon->write_fd = fd;
        return r;
}

/* The predecessor's, wherever it lies, and if its file is gone: clients have it mapped. */
static int take_over(struct beacon *beacon, int fd) {
        char path[64];
        int r = map_page(beacon, fd);

        if (r == 0 && beacon->page->magic != SHM_BEACON_MAGIC)
                r = -EPROTO;
        if (r == 0) {
                snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                beacon->read_fd = open(path, O_RDONLY | O_CLOEXEC);
                r = beacon->read_fd < 0 ? -errno : 0;
        }
        if (r < 0)
                close(fd);
        else
                beacon->write_fd = fd;
        return r;
}

static int make_memory(struct beacon *beacon) {
        char path[64];
        int fd, r;

        fd = memfd_create("spanalloc-beacon", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        r = map_page(beacon, fd);
        /* Our mapping stays writable; no other can become so. */
        if (r == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
                r = -errno;
        if (r == 0) {
                snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
                beacon->read_fd = open(path, O_RDONLY | O_CLOEXEC);
                r = beacon->read_fd < 0 ? -errno : 0;
        }
        close(fd);
        return r;
}

/* A number that no client has seen: it must differ from those of earlier collectors, which are not recorded. */
static int new_generation(uint32_t old, uint32_t *ret) {
        uint32_t generation;

        do {
                if (getrandom(&generation, sizeof generation, 0) != sizeof generation)
                        return -EIO;
        } while (generation == 0 || generation == old);
        *ret = generation;
        return 0;
}

int beacon_new(struct beacon **ret, const char *dir, int fd, uint32_t generation) {
        struct beacon *beacon = calloc(1, sizeof *beacon);
        uint32_t old;
        int r;

        if (!beacon) {
                close_fd(fd);
                return -ENOMEM;
        }
        beacon->read_fd = beacon->write_fd = -1;
        r = fd >= 0 ? take_over(beacon, fd) : -ENOENT;
        if (r < 0) {
                fd = -1;
                r = dir ? make_file(beacon, dir) : make_memory(beacon);
        }
        if (r == 0) {
                old = atomic_load_explicit(&beacon->page->generation, memory_order_relaxed);
                if (generation && (old == generation || (fd >= 0 && !old)))
                        beacon->generation = generation;
                else
                        r = new_generation(old, &beacon->generation);
        }
        if (r < 0) {
                beacon_free(beacon);
                return r;
        }
        beacon->page->magic = SHM_BEACON_MAGIC;
        beacon->page->version = SHM_VERSION;
        atomic_store_explicit(&beacon->page->asleep, 0, memory_order_relaxed);
        /* Relaxed: a client that reads it does a handshake before anything else, which orders everything. */
        atomic_store_explicit(&beacon->page->generation, beacon->generation, memory_order_relaxed);
        *ret = beacon;
        return 0;
}

void beacon_retire(struct beacon *beacon) {
        /* Relaxed: nothing is published; a client that sees it late counts into a segment that no collector reads. */
        if (beacon->page && beacon->generation)
                atomic_store_explicit(&beacon->page->generation, 0, memory_order_relaxed);
}

struct beacon *beacon_free(struct beacon *beacon) {
        if (!beacon)
                return NULL;
        beacon_retire(beacon);
        if (beacon->page)
                munmap(beacon->page, SHM_PAGE);
        if (beacon->read_fd >= 0)
                close(beacon->read_fd);
        if (beacon->write_fd >= 0)
                close(beacon->write_fd);
        free(beacon);
        return NULL;
}

uint32_t beacon_generation(const struct beacon *beacon) {
        return beacon->generation;
}

int beacon_fd(const struct beacon *beacon) {
        return beacon->read_fd;
}

int beacon_write_fd(const struct beacon *beacon) {
        return beacon->write_fd;
}

void beacon_set_asleep(struct beacon *beacon, bool asleep) {
        /* Relaxed: the fence below orders it; and clearing it late costs one superfluous ring. */
        atomic_store_explicit(&beacon->page->asleep, asleep, memory_order_relaxed);
        if (asleep)
                /* [W1] seq_cst fence between the store of `asleep` and the caller's reads of the heads, pairs with the one in
                 * sa_doorbell() between the head and the load of `asleep`.  Without it: both read old values, and the
                 * collector sleeps while a record waits. */
                atomic_thread_fence(memory_order_seq_cst);
}
