/* SPDX-License-Identifier: MIT */
#include "jobs.h"

#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HITS_PER_WORKER = 10, HITS = 10 };

SPANALLOC_SITE(job_site, "job");
SPANALLOC_SITE(query_site, "query");

struct job {
        spanalloc_span span;
        struct bytes text;
        struct changelog changelog;
};

struct query {
        spanalloc_span span;
        const char *phrase;
        atomic_uint waiting; /* workers that have not answered */
        struct part {
                struct hit *hits;
                size_t count;
        } parts[WORKERS_MAX];
};

static unsigned hash(const char *text) {
        unsigned h = 2166136261u;

        while (*text)
                h = (h ^ (unsigned char)*text++) * 16777619u;
        return h;
}

/* ------------------------------------------------------------------------------------------------------ jobs -- */

static int read_text(struct bytes *ret, const char *file) {
        struct bytes compressed;
        int r;

        {
                SPANALLOC_SCOPE("read");
                r = corpus_read(&compressed, file);
        }
        if (r < 0)
                return r;
        {
                SPANALLOC_SCOPE("inflate");
                r = corpus_inflate(ret, &compressed);
        }
        free(compressed.data);
        return r;
}

static int parse(struct job *job) {
        SPANALLOC_SCOPE("parse");

        return changelog_parse(&job->changelog, (const char *)job->text.data, job->text.size);
}

/* Inside the job's span. */
static void job_free(struct job *job) {
        changelog_deinit(&job->changelog);
        free(job->text.data);
        free(job);
}

void job_begin(struct worker *worker, const char *file) {
        spanalloc_span span = spanalloc_open(&job_site);
        struct pool *pool = worker->pool;
        struct job *job;

        spanalloc_enter(span);
        job = calloc(1, sizeof *job);
        if (!job)
                abort();
        job->span = span;
        if (read_text(&job->text, file) == 0 && parse(job) == 0) {
                /* From here on another worker owns the job; it may close the span before this thread exits it. */
                pool_post(pool, hash(job->changelog.package) % pool->workers_count, (struct message){.job = job});
                spanalloc_exit(span);
                return;
        }
        atomic_fetch_add(&pool->bad_files, 1);
        job_free(job);
        spanalloc_exit(span);
        spanalloc_close(span);
        pool_end_work(pool);
}

void job_go_on(struct worker *worker, struct job *job) {
        spanalloc_span span = job->span;
        struct pool *pool = worker->pool;

        spanalloc_enter(span);
        {
                SPANALLOC_SCOPE("index");
                if (store_put(worker->store, &job->changelog) < 0)
                        atomic_fetch_add(&pool->failures, 1);
        }
        atomic_fetch_add(&pool->files, 1);
        atomic_fetch_add(&pool->entries, job->changelog.count);
        atomic_fetch_add(&pool->bytes, job->text.size);
        job_free(job);
        spanalloc_exit(span);
        spanalloc_close(span);
        pool_end_work(pool);
}

/* --------------------------------------------------------------------------------------------------- queries -- */

static const char *const phrases[] = {"memory AND leak",
                                      "segfault",
                                      "translation NOT debconf",
                                      "CVE*",
                                      "\"new upstream release\"",
                                      "race",
                                      "compiler OR linker",
                                      "autopkgtest",
                                      "symbols",
                                      "\"memory leak\" OR overflow",
                                      "regression",
                                      "systemd",
                                      "reproducible",
                                      "multiarch",
                                      "deprecated"};

void query_begin(struct worker *worker) {
        struct pool *pool = worker->pool;
        spanalloc_span span = spanalloc_open(&query_site);
        struct query *query;

        spanalloc_enter(span);
        query = calloc(1, sizeof *query);
        if (!query)
                abort();
        query->span = span;
        query->phrase = phrases[(worker->jobs / 4 + worker->number) % (sizeof phrases / sizeof *phrases)];
        query->waiting = pool->workers_count;
        pool_begin_work(pool);
        for (unsigned i = 0; i < pool->workers_count; i++)
                pool_post(pool, i, (struct message){.query = query});
        spanalloc_exit(span);
}

static int by_rank(const void *a, const void *b) {
        const struct hit *x = a, *y = b;

        return (x->rank > y->rank) - (x->rank < y->rank);
}

static void merge(struct pool *pool, struct query *query) {
        SPANALLOC_SCOPE("merge");
        struct hit *all;
        size_t count = 0;

        for (unsigned i = 0; i < pool->workers_count; i++)
                count += query->parts[i].count;
        all = calloc(count + 1, sizeof *all);
        if (!all)
                abort();
        count = 0;
        for (unsigned i = 0; i < pool->workers_count; i++) {
                struct part *part = &query->parts[i];

                for (size_t j = 0; j < part->count; j++)
                        all[count++] = part->hits[j];
                free(part->hits);
        }
        qsort(all, count, sizeof *all, by_rank);
        atomic_fetch_add(&pool->queries, 1);
        atomic_fetch_add(&pool->hits, count < HITS ? count : HITS);
        if (pool->verbose && count > 0)
                printf("%s: %s %s: %s\n", query->phrase, all->package, all->version, all->excerpt);
        hits_free(all, count);
}

void query_go_on(struct worker *worker, struct query *query) {
        struct part *part = &query->parts[worker->number];
        struct pool *pool = worker->pool;
        spanalloc_span span = query->span;
        bool last;

        spanalloc_enter(span);
        {
                SPANALLOC_SCOPE("search");
                if (store_search(worker->store, query->phrase, HITS_PER_WORKER, &part->hits, &part->count) < 0)
                        atomic_fetch_add(&pool->failures, 1);
        }
        last = atomic_fetch_sub(&query->waiting, 1) == 1;
        if (last) {
                merge(pool, query);
                free(query);
        }
        spanalloc_exit(span);
        if (last) {
                spanalloc_close(span);
                pool_end_work(pool);
        }
}
