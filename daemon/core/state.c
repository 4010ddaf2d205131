/* See state.h. */
#include "daemon/core/state.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAGIC   UINT64_C(0x3154415453415301)
#define STATE_VERSION 1u
#define PAGE          4096u

static uint64_t page_up(uint64_t n) {
        return (n + PAGE - 1) / PAGE * PAGE;
}

static int map_arena(struct state *state, int fd, uint64_t size) {
        uint64_t lines = size / STATE_LINE;

        state->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (state->base == MAP_FAILED)
                return -errno;
        state->touched = mmap(NULL, lines * sizeof *state->touched, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (state->touched == MAP_FAILED) {
                munmap(state->base, size);
                return -ENOMEM;
        }
        state->header = (struct state_header *)state->base;
        state->size = size;
        state->fd = fd;
        return 0;
}

static void point(struct state *state) {
        state->undo_tags = (uint64_t *)(state->base + state->header->undo_tags_offset);
        state->undo_lines = (unsigned char(*)[STATE_LINE])(state->base + state->header->undo_lines_offset);
}

int state_init(struct state *state, uint64_t data_size, uint64_t undo_capacity) {
        uint64_t tags = page_up(sizeof(struct state_header));
        uint64_t lines = page_up(tags + undo_capacity * sizeof *state->undo_tags);
        uint64_t data = page_up(lines + undo_capacity * STATE_LINE);
        uint64_t size = page_up(data + data_size);
        int fd, r;

        *state = (struct state){.fd = -1};
        if (size / STATE_LINE > UINT32_MAX)
                return -EFBIG;
        fd = memfd_create("spanalloc-books", MFD_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = ftruncate(fd, (off_t)size) < 0 ? -errno : map_arena(state, fd, size);
        if (r < 0) {
                close(fd);
                return r;
        }
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
        if (header->magic != STATE_MAGIC || header->size != size)
                return -EPROTO;
        if (header->version != STATE_VERSION)
                return -EPROTONOSUPPORT;
        /* As state_init() lays it out, whatever wrote it. */
        if (header->undo_capacity > size / STATE_LINE || header->undo_tags_offset != page_up(sizeof *header) ||
            header->undo_lines_offset != page_up(header->undo_tags_offset + header->undo_capacity * sizeof(uint64_t)) ||
            header->data_offset != page_up(header->undo_lines_offset + header->undo_capacity * STATE_LINE) ||
            header->data_offset > size)
                return -EPROTO;
        return 0;
}

int state_init_adopt(struct state *state, int fd) {
        struct stat st;
        int r;

        *state = (struct state){.fd = -1};
        if (fstat(fd, &st) < 0)
                r = -errno;
        else if (st.st_size < (off_t)sizeof(struct state_header))
                r = -EPROTO;
        else
                r = map_arena(state, fd, (uint64_t)st.st_size);
        if (r < 0) {
                close(fd);
                return r;
        }
        r = check(state->header, (uint64_t)st.st_size);
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
        if (state->fd >= 0)
                close(state->fd);
        *state = (struct state){.fd = -1};
}

void state_trim(struct state *state) {
        uint64_t from = state->header->undo_tags_offset;

        assert(!state->in_batch);
        /* Both read as zeros then: no entry of any batch, and no line that a batch has logged. */
        madvise(state->base + from, state->header->data_offset - from, MADV_REMOVE);
        madvise(state->touched, state->size / STATE_LINE * sizeof *state->touched, MADV_DONTNEED);
}

void state_drop(struct state *state, void *p, uint64_t n) {
        assert(!state->in_batch && (uint64_t)((char *)p - state->base) % PAGE == 0);
        madvise(p, n / PAGE * PAGE, MADV_REMOVE);
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

void state_log_line(struct state *state, uint32_t line) {
        uint64_t n = atomic_load_explicit(&state->header->undo_length, memory_order_relaxed);

        assert(state->in_batch);
        assert(n < state->header->undo_capacity);
        memcpy(state->undo_lines[n], state->base + (uint64_t)line * STATE_LINE, STATE_LINE);
        state->undo_tags[n] = (uint64_t)state->batch << 32 | line;
        atomic_store_explicit(&state->header->undo_length, n + 1, memory_order_release);
        /* The line must not change before it is in the log. */
        atomic_signal_fence(memory_order_seq_cst);
        state->touched[line] = state->batch;
}
