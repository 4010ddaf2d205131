/* SPDX-License-Identifier: MIT */
/* See hist.h. */
#include "daemon/books/hist.h"

uint64_t hist_bucket_middle(unsigned bucket) {
        unsigned octave = bucket / HIST_SUB, sub = bucket % HIST_SUB;
        uint64_t width;

        if (!octave)
                return sub;
        width = UINT64_C(1) << (octave - 1);
        return (HIST_SUB + sub) * width + width / 2;
}

static void clear_chunk(struct books *books, uint32_t index) {
        struct hist_chunk *chunk = &books->chunks[index];

        if (!index)
                return;
        touch(books, chunk);
        memset(chunk, 0, sizeof *chunk);
}

/* Of an earlier epoch.  Its first line is logged. */
void hist_clear(struct books *books, struct hist *hist) {
        hist->count = hist->max = hist->net_zero = 0;
        hist->epoch = books->book->hist_epoch;
        for (unsigned o = 0; o < HIST_OCTAVES; o++)
                clear_chunk(books, hist->octave[o]);
        clear_chunk(books, hist->net_chunk[0]);
        clear_chunk(books, hist->net_chunk[1]);
}

static bool make_chunk(struct books *books, uint32_t *chunk) {
        if (books->book->chunks + 1 >= books->chunk_capacity)
                return false;
        touch(books, &books->book->chunks);
        touch(books, chunk);
        *chunk = ++books->book->chunks;
        return true;
}

bool hist_make_chunk(struct books *books, struct hist *hist, unsigned octave) {
        return make_chunk(books, &hist->octave[octave]);
}

/* The last half of the chunks is for bytes per call, which have no other place. */
bool hist_make_net_chunk(struct books *books, struct hist *hist, unsigned side) {
        return books->book->chunks < books->chunk_capacity / 2 && make_chunk(books, &hist->net_chunk[side]);
}

_Static_assert(HIST_OCTAVES % 4 == 0, "");

static void merge_octave(struct hist_sum *sum, unsigned octave, const struct hist_chunk *chunk) {
        uint64_t *to = &sum->buckets[octave * HIST_SUB];
        bool first = !(sum->octaves & UINT64_C(1) << octave);

        for (unsigned s = 0; s < HIST_SUB; s++) {
                to[s] = first ? chunk->count[s] : to[s] + chunk->count[s];
                sum->total += chunk->count[s];
        }
        sum->octaves |= UINT64_C(1) << octave;
}

void hist_merge(const struct books *books, struct hist_sum *sum, const struct hist *hist) {
        if (hist->epoch != books->book->hist_epoch)
                return;
        sum->count += hist->count;
        if (hist->max > sum->max)
                sum->max = hist->max;
        for (unsigned o = 0; o < HIST_OCTAVES; o += 4) {
                const uint32_t *four = &hist->octave[o];

                if (!(four[0] | four[1] | four[2] | four[3])) /* as most are */
                        continue;
                for (unsigned i = 0; i < 4; i++)
                        if (four[i])
                                merge_octave(sum, o + i, &books->chunks[four[i]]);
        }
}

void hist_merge_nets(const struct books *books, struct hist_nets *nets, const struct hist *hist) {
        if (hist->epoch != books->book->hist_epoch)
                return;
        nets->zero += hist->net_zero;
        for (unsigned side = 0; side < 2; side++)
                for (unsigned b = 0; hist->net_chunk[side] && b < HIST_SUB; b++)
                        nets->sides[side][b] += books->chunks[hist->net_chunk[side]].count[b];
}

uint64_t hist_percentile(const struct hist_sum *sum, unsigned permille) {
        uint64_t rank = (sum->total * permille + 999) / 1000; /* nearest rank, from 1 */
        uint64_t seen = 0;

        for (uint64_t left = sum->total ? sum->octaves : 0; left; left &= left - 1) {
                unsigned first = (unsigned)__builtin_ctzll(left) * HIST_SUB;

                for (unsigned b = first; b < first + HIST_SUB; b++) {
                        uint64_t middle;

                        seen += sum->buckets[b];
                        if (seen < rank)
                                continue;
                        middle = hist_bucket_middle(b);
                        return middle < sum->max ? middle : sum->max;
                }
        }
        return sum->total ? sum->max : 0;
}
