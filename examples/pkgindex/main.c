/* SPDX-License-Identifier: MIT */
/*
 * pkgindex: indexes the changelogs of the machine's packages, and answers queries about them at the same time.
 *
 * A workload for trying spanalloc.  Its workers read, decompress, parse, index and search; its jobs pause on one thread and
 * continue on another.  Run it with libspanalloc-malloc preloaded, and watch it in `spanallocctl top`.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pool.h"

static struct pool pool = {.workers_count = 4, .pace = 25};

struct settings {
        unsigned seconds;
        bool make_corpus;
};

static void on_signal(int signal) {
        (void)signal;
        atomic_store(&pool.stop, true);
}

static int usage(FILE *to, int status) {
        fputs("usage: pkgindex [OPTION...]\n"
              "  -s, --seconds N   end after so many seconds (default 10, unless --rounds is given)\n"
              "  -r, --rounds N    end after so many rounds through the corpus\n"
              "  -w, --workers N   threads (default 4)\n"
              "  -p, --pace N      per cent of a core for each worker (default 25)\n"
              "  -m, --made        index a made corpus, not this machine's changelogs\n"
              "  -v, --verbose     print the best answer to each query\n",
              to);
        return status;
}

static bool parse_number(const char *text, unsigned min, unsigned max, unsigned *ret) {
        char *end;
        unsigned long value = strtoul(text, &end, 10);

        if (end == text || *end || value < min || value > max)
                return false;
        *ret = (unsigned)value;
        return true;
}

/* Returns -1 to go on, else an exit status. */
static int parse_options(struct settings *settings, int argc, char **argv) {
        static const struct option options[] = {
                {"seconds", required_argument, NULL, 's'}, {"rounds", required_argument, NULL, 'r'},
                {"workers", required_argument, NULL, 'w'}, {"pace", required_argument, NULL, 'p'},
                {"made", no_argument, NULL, 'm'},          {"verbose", no_argument, NULL, 'v'},
                {"help", no_argument, NULL, 'h'},          {0}};
        bool good = true;
        int c;

        while (good && (c = getopt_long(argc, argv, "s:r:w:p:mvh", options, NULL)) != -1)
                switch (c) {
                case 's':
                        good = parse_number(optarg, 1, 1000000, &settings->seconds);
                        break;
                case 'r':
                        good = parse_number(optarg, 1, 1000000, &pool.rounds);
                        break;
                case 'w':
                        good = parse_number(optarg, 1, WORKERS_MAX, &pool.workers_count);
                        break;
                case 'p':
                        good = parse_number(optarg, 1, 100, &pool.pace);
                        break;
                case 'm':
                        settings->make_corpus = true;
                        break;
                case 'v':
                        pool.verbose = true;
                        break;
                case 'h':
                        return usage(stdout, 0);
                default:
                        good = false;
                }
        return good && optind == argc ? -1 : usage(stderr, 2);
}

static void start_clock(unsigned seconds) {
        struct timespec now;

        if (!seconds && !pool.rounds)
                seconds = 10;
        if (!seconds)
                return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        pool.deadline_ns = ((uint64_t)now.tv_sec + seconds) * 1000000000u + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
        struct settings settings = {0};
        struct corpus corpus;
        int r = parse_options(&settings, argc, argv);

        if (r >= 0)
                return r;
        /* Without its global statistics, and so without a lock around each allocation. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        r = corpus_find(&corpus, settings.make_corpus);
        if (r == 0) {
                if (corpus.made_in)
                        printf("pkgindex: indexing %zu made changelogs%s\n", corpus.count,
                               settings.make_corpus ? "" : ", since this machine has none of its packages");
                else
                        printf("pkgindex: indexing %zu changelogs of this machine's packages\n", corpus.count);
                fflush(stdout);
                pool.corpus = &corpus;
                start_clock(settings.seconds);
                r = pool_run(&pool);
        }
        if (r < 0)
                fprintf(stderr, "pkgindex: %s\n", strerror(-r));
        else
                printf("pkgindex: %lu files, %lu entries, %lu MiB of text, %lu queries, %lu hits, %lu bad files\n",
                       atomic_load(&pool.files), atomic_load(&pool.entries), atomic_load(&pool.bytes) >> 20,
                       atomic_load(&pool.queries), atomic_load(&pool.hits), atomic_load(&pool.bad_files));
        corpus_deinit(&corpus);
        return r < 0 || atomic_load(&pool.failures) ? 1 : 0;
}
