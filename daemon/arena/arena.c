/* SPDX-License-Identifier: MIT */
/* See arena.h. */
#include "daemon/arena/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/pages.h"

#define ARENA_MAGIC   UINT64_C(0x3154415453415301)
#define ARENA_VERSION 1u
#define RELEASE_BYTES (UINT64_C(4) << 20) /* a millisecond, where all of it is there */

static int map_arena(struct arena *arena, int fd, uint64_t at, uint64_t size) {
        uint64_t lines = size / ARENA_LINE;

        arena->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)at);
        if (arena->base == MAP_FAILED)
                return -errno;
        arena->touched = mmap(NULL, lines * sizeof *arena->touched, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (arena->touched == MAP_FAILED) {
                munmap(arena->base, size);
                return -ENOMEM;
        }
        arena->marks_origin = (uintptr_t)arena->touched - (uintptr_t)arena->base / ARENA_LINE * sizeof *arena->touched;
        arena->header = (struct arena_header *)arena->base;
        arena->at = at;
        arena->size = size;
        arena->fd = fd;
        return 0;
}

static void point(struct arena *arena) {
        arena->undo_tags = (uint64_t *)(arena->base + arena->header->undo_tags_offset);
        arena->undo_lines = (unsigned char(*)[ARENA_LINE])(arena->base + arena->header->undo_lines_offset);
}

/* In a file that reads as zeros there. */
static int lay_out(struct arena *arena, int fd, uint64_t at, uint64_t data_size, uint64_t undo_capacity) {
        uint64_t tags = page_round_up(sizeof(struct arena_header));
        uint64_t lines = page_round_up(tags + undo_capacity * sizeof *arena->undo_tags);
        uint64_t data = page_round_up(lines + undo_capacity * ARENA_LINE);
        uint64_t size = page_round_up(data + data_size);
        int r;

        *arena = (struct arena){.fd = -1};
        if (size / ARENA_LINE > UINT32_MAX)
                return -EFBIG;
        r = ftruncate(fd, (off_t)(at + size)) < 0 ? -errno : map_arena(arena, fd, at, size);
        if (r < 0)
                return r;
        arena->header->version = ARENA_VERSION;
        arena->header->size = size;
        arena->header->undo_capacity = undo_capacity;
        arena->header->undo_tags_offset = tags;
        arena->header->undo_lines_offset = lines;
        arena->header->data_offset = data;
        atomic_signal_fence(memory_order_seq_cst);
        arena->header->magic = ARENA_MAGIC;
        point(arena);
        return 0;
}

int arena_init(struct arena *arena, uint64_t data_size, uint64_t undo_capacity) {
        int fd = memfd_create("spanalloc-books", MFD_CLOEXEC), r;

        *arena = (struct arena){.fd = -1};
        if (fd < 0)
                return -errno;
        r = lay_out(arena, fd, 0, data_size, undo_capacity);
        if (r < 0)
                close(fd);
        return r;
}

static void undo(struct arena *arena) {
        uint64_t n = atomic_load(&arena->header->undo_length), commit = atomic_load(&arena->header->commit);

        if (n > arena->header->undo_capacity)
                n = arena->header->undo_capacity;
        while (n--) {
                uint64_t tag = arena->undo_tags[n];

                /* Of an earlier batch: the log had not been emptied yet. */
                if (tag >> 32 != (uint32_t)(commit + 1) || (tag & UINT32_MAX) >= arena->size / ARENA_LINE ||
                    (tag & UINT32_MAX) < arena->header->data_offset / ARENA_LINE)
                        continue;
                memcpy(arena->base + (tag & UINT32_MAX) * ARENA_LINE, arena->undo_lines[n], ARENA_LINE);
        }
        atomic_store(&arena->header->undo_length, 0);
}

static int check(const struct arena_header *header, uint64_t size) {
        if (header->magic != ARENA_MAGIC || header->size != size) /* the second: changed since it was read */
                return -EPROTO;
        if (header->version != ARENA_VERSION)
                return -EPROTONOSUPPORT;
        /* As arena_init() lays it out, whatever wrote it. */
        if (header->undo_capacity > size / ARENA_LINE || header->undo_tags_offset != page_round_up(sizeof *header) ||
            header->undo_lines_offset !=
                    page_round_up(header->undo_tags_offset + header->undo_capacity * sizeof(uint64_t)) ||
            header->data_offset != page_round_up(header->undo_lines_offset + header->undo_capacity * ARENA_LINE) ||
            header->data_offset > size)
                return -EPROTO;
        return 0;
}

static int read_word(int fd, uint64_t at, uint64_t *ret) {
        ssize_t n = pread(fd, ret, sizeof *ret, (off_t)at);

        return n == sizeof *ret ? 0 : n < 0 ? -errno : -EPROTO;
}

/* Where in the file the arena lies.  The file is longer where a move did not end. */
static int find(int fd, uint64_t *ret_at, uint64_t *ret_size) {
        struct stat st;
        uint64_t at, size;
        int r = read_word(fd, offsetof(struct arena_header, moved_to), &at);

        if (r == 0 && (at > INT64_MAX - sizeof(struct arena_header) || at % PAGE_BYTES))
                r = -EPROTO;
        if (r == 0)
                r = read_word(fd, at + offsetof(struct arena_header, size), &size);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r < 0)
                return r;
        if (size < sizeof(struct arena_header) || size % PAGE_BYTES || at > (uint64_t)st.st_size ||
            size > (uint64_t)st.st_size - at)
                return -EPROTO;
        *ret_at = at;
        *ret_size = size;
        return 0;
}

int arena_init_adopt(struct arena *arena, int fd) {
        uint64_t at, size;
        int r;

        *arena = (struct arena){.fd = -1};
        r = find(fd, &at, &size);
        if (r == 0)
                r = map_arena(arena, fd, at, size);
        if (r < 0) {
                close(fd);
                return r;
        }
        r = check(arena->header, size);
        if (r < 0) {
                arena_deinit(arena);
                return r;
        }
        point(arena);
        undo(arena);
        return 0;
}

bool arena_release_some(struct arena *arena) {
        uint64_t n = arena->base ? arena->size - arena->released : 0;

        if (n > RELEASE_BYTES)
                n = RELEASE_BYTES;
        if (n > 0)
                madvise(arena->base + arena->released, n, MADV_REMOVE);
        arena->released += n;
        return !arena->base || arena->released == arena->size;
}

void arena_deinit(struct arena *arena) {
        if (arena->base) {
                munmap(arena->touched, arena->size / ARENA_LINE * sizeof *arena->touched);
                munmap(arena->base, arena->size);
        }
        close_fd(arena->fd);
        *arena = (struct arena){.fd = -1};
}

/* [from, to) reads as zeros from now on. */
static int clear(int fd, uint64_t from, uint64_t to) {
        if (from < to && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) < 0)
                return -errno;
        return 0;
}

int arena_init_beside(struct arena *arena, const struct arena *old, uint64_t data_size, uint64_t undo_capacity) {
        uint64_t end = old->at + old->size;
        struct stat st;
        int r;

        *arena = (struct arena){.fd = -1};
        /* A process may have died here before. */
        if (fstat(old->fd, &st) < 0)
                return -errno;
        r = clear(old->fd, end, (uint64_t)st.st_size);
        return r < 0 ? r : lay_out(arena, old->fd, end, data_size, undo_capacity);
}

int arena_move(struct arena *arena, struct arena *old) {
        const uint64_t at = arena->at;
        int fd = old->fd;

        assert(!arena->in_batch && !old->in_batch);
        /* One aligned word: it is there or it is not. */
        if (pwrite(fd, &at, sizeof at, offsetof(struct arena_header, moved_to)) != sizeof at)
                return errno ? -errno : -EIO;
        /* Only that word of the first header is used. */
        (void)clear(fd, old->at ? old->at : PAGE_BYTES, old->at + old->size);
        old->fd = -1;
        arena_deinit(old);
        arena->fd = fd;
        return 0;
}

void arena_trim(struct arena *arena) {
        uint64_t from = arena->header->undo_tags_offset;

        assert(!arena->in_batch);
        arena->untracked++;
        /* Both read as zeros then: no entry of any batch, and no line that a batch has logged. */
        madvise(arena->base + from, arena->header->data_offset - from, MADV_REMOVE);
        madvise(arena->touched, arena->size / ARENA_LINE * sizeof *arena->touched, MADV_DONTNEED);
        arena->cleared++;
}

void arena_drop(struct arena *arena, void *p, uint64_t n) {
        assert(!arena->in_batch && (uint64_t)((char *)p - arena->base) % PAGE_BYTES == 0);
        arena->untracked++;
        madvise(p, n / PAGE_BYTES * PAGE_BYTES, MADV_REMOVE);
}

uint64_t arena_memory(struct arena *arena) {
        struct stat st;

        /* With as much of `touched`, which is a sixteenth. */
        if (arena->fd >= 0 && fstat(arena->fd, &st) == 0)
                arena->memory = (uint64_t)st.st_blocks * 512 / 16 * 17;
        return arena->memory;
}

void arena_begin(struct arena *arena) {
        assert(!arena->in_batch);
        atomic_store_explicit(&arena->header->undo_length, 0, memory_order_release);
        arena->batch = (uint32_t)(atomic_load_explicit(&arena->header->commit, memory_order_relaxed) + 1);
        if (!arena->batch) { /* 2^32 batches: tags of the last round must not look like this one's */
                memset(arena->touched, 0, arena->size / ARENA_LINE * sizeof *arena->touched);
                arena->cleared++;
                atomic_fetch_add_explicit(&arena->header->commit, 1, memory_order_release);
                arena->batch = 1;
        }
        arena->in_batch = true;
}

void arena_commit(struct arena *arena) {
        assert(arena->in_batch);
        /* Release orders it for the compiler after every change of the batch; see the protocol. */
        atomic_fetch_add_explicit(&arena->header->commit, 1, memory_order_release);
        arena->in_batch = false;
}

void arena_log_line(struct arena *arena, const void *p) {
        uint64_t n = atomic_load_explicit(&arena->header->undo_length, memory_order_relaxed);
        uint32_t line = (uint32_t)((size_t)((const char *)p - arena->base) / ARENA_LINE);

        assert(arena->in_batch);
        /* A step changes a bounded number of lines, so a full log is a bug.  abort() is the only way out: without a log
         * entry the line could not be undone, and a commit here would keep half a step.  The next collector undoes this
         * batch, and goes on from the last committed one. */
        if (__builtin_expect(n >= arena->header->undo_capacity, 0))
                abort();
        memcpy(arena->undo_lines[n], arena->base + (uint64_t)line * ARENA_LINE, ARENA_LINE);
        arena->undo_tags[n] = (uint64_t)arena->batch << 32 | line;
        atomic_store_explicit(&arena->header->undo_length, n + 1, memory_order_release);
        /* The line must not change before it is in the log. */
        atomic_signal_fence(memory_order_seq_cst);
        arena->touched[line] = arena->batch;
}
