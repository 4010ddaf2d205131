/* SPDX-License-Identifier: MIT */
/*
 * The method `tree`: a row for each process and path, parents before children, with the sums of whole sub-trees; and a
 * root for each name of a process's threads, with what these allocate outside of spans.
 *
 * A path's sum here is its own self part and that of all paths below it, which is not the sum of its cycles: work
 * that a child does on another thread, or after its parent has left, belongs to the parent's sub-tree too.
 *
 * A process can have a hundred thousand paths: each step is made in portions.  The sums of all rows are of the moments
 * when they were added up, and a child's before its parent's, so no row has more than the row above it; what else a row
 * has is of the moment when it is written.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

#define PORTION 64u /* nodes between two looks at the clock */

struct node {
        uint64_t sums[SHM_COUNTERS]; /* of the sub-tree */
        uint64_t self[SHM_COUNTERS];
        uint32_t parent; /* 0: a root */
        uint32_t place;  /* in `order` */
        uint32_t first;  /* place of the first child; 0: none */
        bool used;       /* something happened on it or below */
        bool shown;      /* the filter selects it, or something below it */
};

struct tree {
        const struct process *process;
        uint64_t now_ns, since_ns;
        uint32_t paths, count; /* nodes above `paths` are of what is outside of spans, one for each name of a thread */
        bool reaches;          /* every row is since when it was asked for */
        struct node *nodes;    /* by id, from 1 */
        uint32_t *order;       /* ids, from place 1: siblings side by side, the heaviest first */
        uint32_t *spare;       /* where they are sorted */
        struct merge_sort sorting;
        enum { TREE_SUM, TREE_SORT, TREE_PLACE, TREE_PUT } step;
        uint32_t at; /* the node, or place, that the step is at */
};

static void tree_free(void *userdata) {
        struct tree *tree = userdata;

        if (!tree)
                return;
        free(tree->nodes);
        free(tree->order);
        free(tree->spare);
        free(tree);
}

static bool is_outside(const struct tree *tree, uint32_t id) {
        return id > tree->paths;
}

static uint32_t thread_of(const struct tree *tree, uint32_t id) {
        return id - tree->paths - 1;
}

static bool read_sums(const struct tree *tree, uint32_t id, struct books_row *ret) {
        const struct books *books = tree->process->books;

        if (is_outside(tree, id))
                return books_outside_row(books, thread_of(tree, id), tree->now_ns, tree->since_ns, ret);
        return books_path_sums(books, id, tree->now_ns, tree->since_ns, ret);
}

static bool is_selected(const struct tree *tree, uint32_t id, struct query *query, const struct query_params *params) {
        const struct books *books = tree->process->books;

        if (is_outside(tree, id))
                return query_params_select_outside(params, books, thread_of(tree, id));
        books_path_text(books, id, query->path, sizeof(query->path));
        return query_params_select_path(params, books_name(books, books_path_name(books, id)), query->path);
}

static void sum_node(struct tree *tree, uint32_t id, struct query *query, const struct query_params *params) {
        struct node *node = &tree->nodes[id], *parent;
        struct books_row row;

        tree->reaches &= read_sums(tree, id, &row);
        node->used |= (row.opened | row.closed | row.open | row.cycles | row.aborted | row.refused) > 0;
        for (size_t i = 0; i < SHM_COUNTERS; i++) {
                node->self[i] = row.self[i];
                node->sums[i] += row.self[i];
                node->used |= row.self[i] > 0;
        }

        if (node->used && !node->shown)
                node->shown = is_selected(tree, id, query, params);

        node->parent = is_outside(tree, id) ? 0 : books_path_parent(tree->process->books, id);
        if (node->parent >= id)
                node->parent = 0;
        parent = &tree->nodes[node->parent];
        for (size_t i = 0; i < SHM_COUNTERS; i++)
                parent->sums[i] += node->sums[i];
        parent->used |= node->used;
        parent->shown |= node->used && node->shown;
}

static int compare_nodes(const void *a, const void *b, void *userdata) {
        const uint32_t *x = a, *y = b;
        const struct tree *tree = userdata;
        const struct node *m = &tree->nodes[*x], *n = &tree->nodes[*y];
        uint64_t left = m->sums[SHM_ALLOC_BYTES], right = n->sums[SHM_ALLOC_BYTES];

        if (m->parent != n->parent)
                return m->parent < n->parent ? -1 : 1;
        if (left != right)
                return left > right ? -1 : 1;
        return *x < *y ? -1 : *x > *y;
}

static int tree_new(struct tree **ret, const struct query_params *params, const struct process *process,
                    uint64_t now_ns) {
        struct tree *tree = calloc(1, sizeof(*tree));

        if (!tree)
                return -ENOMEM;
        *tree = (struct tree){
                .process = process,
                .now_ns = now_ns,
                .since_ns = params->given & QUERY_PARAM_SINCE ? params->since_ns + !params->since_ns : 0,
                .reaches = true,
                .paths = books_path_count(process->books),
        };
        tree->count = tree->paths + books_thread_count(process->books);
        tree->at = tree->count;
        tree->nodes = calloc((size_t)tree->count + 1, sizeof(*tree->nodes));
        tree->order = calloc((size_t)tree->count + 1, sizeof(*tree->order));
        tree->spare = calloc((size_t)tree->count + 1, sizeof(*tree->spare));
        if (!tree->nodes || !tree->order || !tree->spare) {
                tree_free(tree);
                return -ENOMEM;
        }
        *ret = tree;
        return 0;
}

/* True where the slice is over, which is looked at once in a while. */
static bool is_late_at(const struct query *query, uint32_t at) {
        return at % PORTION == 0 && query_is_late(query);
}

/* Ids are given out parent first, so one pass from the last to the first adds all up.  False: the slice is over. */
static bool tree_sum(struct tree *tree, struct query *query, const struct query_params *params) {
        books_sum_open_frames(tree->process->books, tree->now_ns);
        while (tree->at > 0) {
                sum_node(tree, tree->at--, query, params);
                if (is_late_at(query, tree->at))
                        return false;
        }
        for (uint32_t id = 1; id <= tree->count; id++)
                tree->order[id] = id;
        merge_sort_begin(&tree->sorting, tree->order + 1, tree->spare + 1, tree->count, sizeof(*tree->order));
        tree->step = TREE_SORT;
        return true;
}

static bool tree_sort(struct tree *tree, const struct query *query) {
        while (!merge_sort_some(&tree->sorting, PORTION, compare_nodes, tree))
                if (query_is_late(query))
                        return false;
        if (merge_sort_result(&tree->sorting) != tree->order + 1) {
                uint32_t *sorted = tree->spare;

                tree->spare = tree->order;
                tree->order = sorted;
        }
        tree->step = TREE_PLACE;
        tree->at = tree->count;
        return true;
}

static bool tree_place(struct tree *tree, const struct query *query) {
        for (; tree->at > 0; tree->at--) {
                struct node *node = &tree->nodes[tree->order[tree->at]];

                node->place = tree->at;
                tree->nodes[node->parent].first = tree->at;
                if (is_late_at(query, tree->at)) {
                        tree->at--;
                        return false;
                }
        }
        tree->step = TREE_PUT;
        return true;
}

/* The next node in depth-first order; 0 at the end.  Begin with id 0; `below`: whether to go below `id`. */
static uint32_t tree_next(const struct tree *tree, uint32_t id, bool below) {
        if (below && tree->nodes[id].first > 0)
                return tree->order[tree->nodes[id].first];

        for (; id > 0; id = tree->nodes[id].parent) {
                uint32_t next = tree->nodes[id].place + 1;

                if (next <= tree->count && tree->nodes[tree->order[next]].parent == tree->nodes[id].parent)
                        return tree->order[next];
        }
        return 0;
}

static uint32_t tree_depth(const struct tree *tree, uint32_t id) {
        uint32_t depth = 0;

        while ((id = tree->nodes[id].parent) > 0)
                depth++;
        return depth;
}

static const char *tree_text(struct query *query, const struct tree *tree, uint32_t id, const struct books_row *row,
                             int column) {
        const struct books *books = tree->process->books;
        bool outside = is_outside(tree, id);

        switch (column) {
        case WIRE_TREE_unit:
                return tree->process->unit;
        case WIRE_TREE_comm:
                return tree->process->comm;
        case WIRE_TREE_span:
                return outside ? WIRE_OUTSIDE : books_name(books, books_path_name(books, id));
        case WIRE_TREE_thread:
                return outside ? query_outside_thread(books, thread_of(tree, id)) : "";
        case WIRE_TREE_path:
                if (outside)
                        return WIRE_OUTSIDE;
                books_path_text(books, id, query->path, sizeof(query->path));
                return query->path;
        case WIRE_TREE_quality:
                return query_quality_text(row->quality);
        }
        return "";
}

static uint64_t p99(const struct books *books, uint32_t path) {
        struct books_per_call per_call;

        books_path_per_call(books, path, &per_call);
        return per_call.p99;
}

static uint64_t rate_10s(const struct tree *tree, uint32_t id, const struct books_row *row) {
        double rate[3];

        if (is_outside(tree, id))
                return query_whole_number(row->rate[0]);
        books_path_rates(tree->process->books, id, tree->now_ns, rate);
        return query_whole_number(rate[0]);
}

static uint64_t tree_number(const struct tree *tree, uint32_t id, const struct books_row *row, int column) {
        const struct node *node = &tree->nodes[id];

        if (column >= WIRE_TREE_alloc_count && column <= WIRE_TREE_dealloc_bytes)
                return node->sums[column - WIRE_TREE_alloc_count];
        if (column >= WIRE_TREE_self_alloc_count && column <= WIRE_TREE_self_dealloc_bytes)
                return node->self[column - WIRE_TREE_self_alloc_count];

        switch (column) {
        case WIRE_TREE_process:
                return tree->process->number;
        case WIRE_TREE_pid:
                return (uint64_t)tree->process->pid;
        case WIRE_TREE_depth:
                return tree_depth(tree, id);
        case WIRE_TREE_opened:
                return row->opened;
        case WIRE_TREE_closed:
                return row->closed;
        case WIRE_TREE_open:
                return row->open;
        case WIRE_TREE_cycles:
                return row->cycles;
        case WIRE_TREE_self_alloc_bytes_rate_10s:
                return rate_10s(tree, id, row);
        case WIRE_TREE_key:
                return is_outside(tree, id) ? WIRE_OUTSIDE_KEY | thread_of(tree, id) : id;
        case WIRE_TREE_parent_key:
                return node->parent;
        case WIRE_TREE_migrated:
                return row->migrated;
        case WIRE_TREE_aborted:
                return row->aborted;
        case WIRE_TREE_refused:
                return row->refused;
        case WIRE_TREE_processes:
                return 1;
        case WIRE_TREE_per_call_p99:
                return is_outside(tree, id) ? 0 : p99(tree->process->books, id);
        case WIRE_TREE_busy_ns:
                return row->time.total_ns;
        case WIRE_TREE_timed_calls:
                return row->time.calls;
        case WIRE_TREE_timed_calls_ns:
                return row->time.calls_ns;
        }
        return 0;
}

static void put_row(struct query *query, const struct tree *tree, uint32_t id, uint64_t chosen,
                    struct wire_buffer *out) {
        const struct wire_column *columns = wire_columns("tree")->columns;
        const struct node *node = &tree->nodes[id];
        struct books_row row;

        (void)read_sums(tree, id, &row);
        wire_put_array(out, (uint32_t)__builtin_popcountll(chosen));
        for (; chosen; chosen &= chosen - 1) {
                int column = __builtin_ctzll(chosen);

                if (columns[column].type == WIRE_COLUMN_TEXT)
                        wire_put_text(out, tree_text(query, tree, id, &row, column));
                else if (columns[column].type == WIRE_COLUMN_INT)
                        wire_put_int(out, (int64_t)(node->sums[SHM_ALLOC_BYTES] - node->sums[SHM_DEALLOC_BYTES]));
                else
                        wire_put_uint(out, tree_number(tree, id, &row, column));
        }
}

/* Writes the rows; tree->at is the last node that was visited.  False: the slice is over. */
static bool tree_put(struct query *query, struct tree *tree, struct query_answer *answer, struct wire_buffer *out) {
        uint32_t visited = 0, id;

        while ((id = tree_next(tree, tree->at,
                               !tree->at || (tree->nodes[tree->at].used && tree->nodes[tree->at].shown)))) {
                tree->at = id;
                if (tree->nodes[id].used && tree->nodes[id].shown) {
                        if (answer->rows == QUERY_ROWS_MAX) {
                                answer->complete = false;
                                return true;
                        }
                        put_row(query, tree, id, answer->chosen, out);
                        answer->rows++;
                }
                if (is_late_at(query, ++visited))
                        return false;
        }
        return true;
}

/* The tree in hand.  False: the slice is over. */
static bool go_on(struct query *query, const struct query_params *params, struct tree *tree, struct wire_buffer *out) {
        struct query_answer *answer = &query->job.tree;

        if (tree->step == TREE_SUM && !tree_sum(tree, query, params))
                return false;
        if (tree->step == TREE_SORT && !tree_sort(tree, query))
                return false;
        if (tree->step == TREE_PLACE && !tree_place(tree, query))
                return false;
        answer->complete &= tree->reaches;
        return tree_put(query, tree, answer, out);
}

static void begin_answer(struct query_answer *answer, struct wire_buffer *out) {
        answer->complete = true;
        answer->now_ns = clock_monotonic_ns();
        wire_put_map(out, 4);
        wire_put_text(out, "time_ns");
        wire_put_uint(out, clock_realtime_ns());
        query_put_columns(out, wire_columns("tree"), answer->chosen);
        wire_put_text(out, "rows");
        answer->mark = wire_begin_array(out);
}

static int put_processes(struct query *query, const struct query_peer *peer, const struct query_params *params,
                         struct wire_buffer *out) {
        struct query_job *job = &query->job;
        const struct process *process;
        struct tree *tree;
        int r;

        for (;;) {
                tree = job->reading;
                if (tree) {
                        if (!go_on(query, params, tree, out))
                                return QUERY_AGAIN;
                        tree_free(tree);
                        job->reading = NULL;
                        if (query_is_late(query))
                                return QUERY_AGAIN;
                }
                process = collector_process(query->collector, job->next);
                if (!process)
                        return 0;
                job->next++;
                if (!process->books || !query_params_select_process(params, peer, process))
                        continue;
                query_check_books(process);
                r = tree_new(&tree, params, process, job->tree.now_ns);
                if (r < 0)
                        return r;
                job->reading = tree;
        }
}

int query_method_tree(struct query *query, const struct query_peer *peer, const struct query_params *params,
                      struct wire_buffer *out, struct query_error *ret_error) {
        struct query_job *job = &query->job;
        struct query_answer *answer = &job->tree;
        int r;

        if (!job->is_begun) {
                r = query_columns_choose(wire_columns("tree"), params,
                                         UINT64_C(1) << WIRE_TREE_per_call_p99 | UINT64_C(1) << WIRE_TREE_processes,
                                         &answer->chosen, ret_error);
                if (r < 0)
                        return r;
                job->free_reading = tree_free;
                job->is_begun = true;
                begin_answer(answer, out);
        }
        r = put_processes(query, peer, params, out);
        if (r != 0)
                return r;
        wire_end_array(out, answer->mark, answer->rows);
        wire_put_text(out, "complete");
        wire_put_bool(out, answer->complete);
        return 0;
}
