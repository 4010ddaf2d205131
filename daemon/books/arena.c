/* SPDX-License-Identifier: MIT */
/* See arena.h. */
#include "daemon/books/arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/pages.h"

#define STATE_MAGIC   UINT64_C(0x3154415453415301)
#define STATE_VERSION 1u

static int map_arena(struct state *state, int fd, uint64_t at, uint64_t size) {
        uint64_t lines = size / STATE_LINE;

        state->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)at);
        if (state->base == MAP_FAILED)
                return -errno;
        state->touched = mmap(NULL, lines * sizeof *state->touched, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (state->touched == MAP_FAILED) {
                munmap(state->base, size);
                return -ENOMEM;
        }
        state->marks_origin = (uintptr_t)state->touched - (uintptr_t)state->base / STATE_LINE * sizeof *state->touched;
        state->header = (struct state_header *)state->base;
        state->at = at;
        state->size = size;
        state->fd = fd;
        return 0;
}

static void point(struct state *state) {
        state->undo_tags = (uint64_t *)(state->base + state->header->undo_tags_offset);
        state->undo_lines = (unsigned char(*)[STATE_LINE])(state->base + state->header->undo_lines_offset);
}

/* In a file that reads as zeros there. */
static int lay_out(struct state *state, int fd, uint64_t at, uint64_t data_size, uint64_t undo_capacity) {
        uint64_t tags = page_round_up(sizeof(struct state_header));
        uint64_t lines = page_round_up(tags + undo_capacity * sizeof *state->undo_tags);
        uint64_t data = page_round_up(lines + undo_capacity * STATE_LINE);
        uint64_t size = page_round_up(data + data_size);
        int r;

        *state = (struct state){.fd = -1};
        if (size / STATE_LINE > UINT32_MAX)
                return -EFBIG;
        r = ftruncate(fd, (off_t)(at + size)) < 0 ? -errno : map_arena(state, fd, at, size);
        if (r < 0)
                return r;
        state->header->version = STATE_VERSION;
        state->header->size = size;
        state->header->undo_capacity = undo_capacity;
        state->header->undo_tags_offset = tags;
        state->header->undo_lines_offset = lines;
        state->header->data_offset = data;
        atomic_signal_fence(memory_order_seq_cst);
        state->header->magic = STATE_MAGIC;
        point(state);
        return 0;
}

int state_init(struct state *state, uint64_t data_size, uint64_t undo_capacity) {
        int fd = memfd_create("spanalloc-books", MFD_CLOEXEC), r;

        *state = (struct state){.fd = -1};
        if (fd < 0)
                return -errno;
        r = lay_out(state, fd, 0, data_size, undo_capacity);
        if (r < 0)
                close(fd);
        return r;
}

static void undo(struct state *state) {
        uint64_t n = atomic_load(&state->header->undo_length), commit = atomic_load(&state->header->commit);

        if (n > state->header->undo_capacity)
                n = state->header->undo_capacity;
        while (n--) {
                uint64_t tag = state->undo_tags[n];

                /* Of an earlier batch: the log had not been emptied yet. */
                if (tag >> 32 != (uint32_t)(commit + 1) || (tag & UINT32_MAX) >= state->size / STATE_LINE)
                        continue;
                memcpy(state->base + (tag & UINT32_MAX) * STATE_LINE, state->undo_lines[n], STATE_LINE);
        }
        atomic_store(&state->header->undo_length, 0);
}

static int check(const struct state_header *header, uint64_t size) {
        if (header->magic != STATE_MAGIC || header->size != size) /* changed meanwhile: nobody is to */
                return -EPROTO;
        if (header->version != STATE_VERSION)
                return -EPROTONOSUPPORT;
        /* As state_init() lays it out, whatever wrote it. */
        if (header->undo_capacity > size / STATE_LINE || header->undo_tags_offset != page_round_up(sizeof *header) ||
            header->undo_lines_offset !=
                    page_round_up(header->undo_tags_offset + header->undo_capacity * sizeof(uint64_t)) ||
            header->data_offset != page_round_up(header->undo_lines_offset + header->undo_capacity * STATE_LINE) ||
            header->data_offset > size)
                return -EPROTO;
        return 0;
}

static int read_word(int fd, uint64_t at, uint64_t *ret) {
        ssize_t n = pread(fd, ret, sizeof *ret, (off_t)at);

        return n == sizeof *ret ? 0 : n < 0 ? -errno : -EPROTO;
}

/* Where in the file the arena lies.  The file is longer where somebody was about to move it. */
static int find(int fd, uint64_t *ret_at, uint64_t *ret_size) {
        struct stat st;
        uint64_t at, size;
        int r = read_word(fd, offsetof(struct state_header, moved_to), &at);

        if (r == 0 && (at > INT64_MAX - sizeof(struct state_header) || at % PAGE_BYTES))
                r = -EPROTO;
        if (r == 0)
                r = read_word(fd, at + offsetof(struct state_header, size), &size);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r < 0)
                return r;
        if (size < sizeof(struct state_header) || size % PAGE_BYTES || at > (uint64_t)st.st_size ||
            size > (uint64_t)st.st_size - at)
                return -EPROTO;
        *ret_at = at;
        *ret_size = size;
        return 0;
}

int state_init_adopt(struct state *state, int fd) {
        uint64_t at, size;
        int r;

        *state = (struct state){.fd = -1};
        r = find(fd, &at, &size);
        if (r == 0)
                r = map_arena(state, fd, at, size);
        if (r < 0) {
                close(fd);
                return r;
        }
        r = check(state->header, size);
        if (r < 0) {
                state_deinit(state);
                return r;
        }
        point(state);
        undo(state);
        return 0;
}

void state_deinit(struct state *state) {
        if (state->base) {
                munmap(state->touched, state->size / STATE_LINE * sizeof *state->touched);
                munmap(state->base, state->size);
        }
        close_fd(state->fd);
        *state = (struct state){.fd = -1};
}

/* [from, to) reads as zeros from now on. */
static int clear(int fd, uint64_t from, uint64_t to) {
        if (from < to && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)) < 0)
                return -errno;
        return 0;
}

int state_init_beside(struct state *state, const struct state *old, uint64_t data_size, uint64_t undo_capacity) {
        uint64_t end = old->at + old->size;
        struct stat st;
        int r;

        *state = (struct state){.fd = -1};
        /* Somebody may have died here before. */
        if (fstat(old->fd, &st) < 0)
                return -errno;
        r = clear(old->fd, end, (uint64_t)st.st_size);
        return r < 0 ? r : lay_out(state, old->fd, end, data_size, undo_capacity);
}

int state_move(struct state *state, struct state *old) {
        const uint64_t at = state->at;
        int fd = old->fd;

        assert(!state->in_batch && !old->in_batch);
        /* One aligned word: it is there or it is not. */
        if (pwrite(fd, &at, sizeof at, offsetof(struct state_header, moved_to)) != sizeof at)
                return errno ? -errno : -EIO;
        /* Of the first header only that word is looked at. */
        (void)clear(fd, old->at ? old->at : PAGE_BYTES, old->at + old->size);
        old->fd = -1;
        state_deinit(old);
        state->fd = fd;
        return 0;
}

void state_trim(struct state *state) {
        uint64_t from = state->header->undo_tags_offset;

        assert(!state->in_batch);
        /* Both read as zeros then: no entry of any batch, and no line that a batch has logged. */
        madvise(state->base + from, state->header->data_offset - from, MADV_REMOVE);
        madvise(state->touched, state->size / STATE_LINE * sizeof *state->touched, MADV_DONTNEED);
}

void state_drop(struct state *state, void *p, uint64_t n) {
        assert(!state->in_batch && (uint64_t)((char *)p - state->base) % PAGE_BYTES == 0);
        madvise(p, n / PAGE_BYTES * PAGE_BYTES, MADV_REMOVE);
}

uint64_t state_memory(struct state *state) {
        struct stat st;

        /* With as much of `touched`, which is a sixteenth. */
        if (state->fd >= 0 && fstat(state->fd, &st) == 0)
                state->memory = (uint64_t)st.st_blocks * 512 / 16 * 17;
        return state->memory;
}

void state_begin(struct state *state) {
        assert(!state->in_batch);
        atomic_store_explicit(&state->header->undo_length, 0, memory_order_release);
        state->batch = (uint32_t)(atomic_load_explicit(&state->header->commit, memory_order_relaxed) + 1);
        if (!state->batch) { /* 2^32 batches: tags of the last round must not look like this one's */
                memset(state->touched, 0, state->size / STATE_LINE * sizeof *state->touched);
                atomic_fetch_add_explicit(&state->header->commit, 1, memory_order_release);
                state->batch = 1;
        }
        state->in_batch = true;
}

void state_commit(struct state *state) {
        assert(state->in_batch);
        /* Release orders it for the compiler after every change of the batch; see the protocol. */
        atomic_fetch_add_explicit(&state->header->commit, 1, memory_order_release);
        state->in_batch = false;
}

void state_log_line(struct state *state, const void *p) {
        uint64_t n = atomic_load_explicit(&state->header->undo_length, memory_order_relaxed);
        uint32_t line = (uint32_t)((size_t)((const char *)p - state->base) / STATE_LINE);

        assert(state->in_batch);
        assert(n < state->header->undo_capacity);
        memcpy(state->undo_lines[n], state->base + (uint64_t)line * STATE_LINE, STATE_LINE);
        state->undo_tags[n] = (uint64_t)state->batch << 32 | line;
        atomic_store_explicit(&state->header->undo_length, n + 1, memory_order_release);
        /* The line must not change before it is in the log. */
        atomic_signal_fence(memory_order_seq_cst);
        state->touched[line] = state->batch;
}
