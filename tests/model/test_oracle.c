/* SPDX-License-Identifier: MIT */
/*
 * Random programs, and every number of their books against the oracle.
 *
 *     test_oracle [--actions N] [--seed S]     so many actions in all (the default: a million), from this seed on
 *                 [--forever]                  until something differs
 *                 [--replay FILE]              one schedule, as a failure printed it
 *                 [--quick]                    no shrinking, little patience: for those who expect a failure
 *                 [--hazards N]                each hazard has to occur so often
 *                 [--relays]                   mostly spans that go from hand to hand and are closed at once
 *
 * Each schedule runs in a process of its own.  When one fails, it is shortened to what is needed, and printed.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/model/play.h"

#define LENGTH   3000u
#define REPEATS  4 /* of a shortened schedule with threads at once, before it counts as right */
#define JOBS_MAX 8

static struct record *records[JOBS_MAX];
static unsigned patience = 300; /* seconds that a schedule may take before it counts as hanging */

static void *shared(size_t size) {
        void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (map == MAP_FAILED) {
                perror("mmap");
                exit(2);
        }
        return map;
}

static pid_t begin(struct record *record) {
        pid_t pid = fork();

        if (pid < 0) {
                perror("fork");
                exit(2);
        }
        if (!pid) {
                alarm(patience);
                _exit(play(record) ? 0 : 1);
        }
        return pid;
}

static void put_failure(struct record *record, int status) {
        if (*record->failure)
                return;
        if (WIFSIGNALED(status))
                snprintf(record->failure, sizeof record->failure, "it ended by signal %d (%s)\n", WTERMSIG(status),
                         WTERMSIG(status) == SIGALRM ? "it did not come to an end" : strsignal(WTERMSIG(status)));
        else
                snprintf(record->failure, sizeof record->failure, "it ended with %d\n", WEXITSTATUS(status));
}

/* ------------------------------------------------------------------------------------------------ shortening -- */

static bool has_threads_at_once(const struct record *record) {
        for (uint32_t i = 0; i < record->count; i++)
                if (record->actions[i].act >= ACT_PARALLEL)
                        return true;
        return false;
}

static bool still_fails(struct record *record) {
        int status, times = has_threads_at_once(record) ? REPEATS : 1;

        while (times--) {
                *record->failure = 0;
                if (waitpid(begin(record), &status, 0) < 0)
                        return false;
                if (status) {
                        put_failure(record, status);
                        return true;
                }
        }
        return false;
}

static bool is_marker(const struct action *a) {
        return a->act >= ACT_PARALLEL;
}

/* Without actions [from, from + n), but for the limits of blocks: threads must not meet that never met. */
static void cut(struct record *to, const struct record *record, uint32_t from, uint32_t n) {
        to->setup = record->setup;
        to->count = 0;
        for (uint32_t i = 0; i < record->count; i++)
                if (i < from || i >= from + n || is_marker(&record->actions[i]))
                        to->actions[to->count++] = record->actions[i];
}

static void drop_empty_blocks(struct record *record) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < record->count; i++) {
                if (i + 1 < record->count && is_marker(&record->actions[i]) && record->actions[i].act != ACT_JOIN &&
                    record->actions[i + 1].act == ACT_JOIN)
                        i++;
                else
                        record->actions[n++] = record->actions[i];
        }
        record->count = n;
}

static void shorten(struct record *record) {
        struct record *trial = shared(sizeof *trial);
        time_t begun = time(NULL);

        for (uint32_t chunk = record->count / 2; chunk && time(NULL) - begun < 120; chunk /= 2)
                for (uint32_t from = 0; from < record->count && time(NULL) - begun < 120;) {
                        cut(trial, record, from, chunk);
                        if (trial->count && trial->count < record->count && still_fails(trial)) {
                                memcpy(record, trial, sizeof *record);
                                drop_empty_blocks(record);
                        } else {
                                from += chunk;
                        }
                }
        munmap(trial, sizeof *trial);
}

static int report(struct record *record, bool quick) {
        uint32_t before = record->count;

        printf("seed %" PRIu64 " fails:\n%s", record->setup.seed, record->failure);
        fflush(stdout);
        if (quick)
                return 1;
        shorten(record);
        printf("\nof %u actions these are left (--replay takes them):\n", before);
        schedule_print(stdout, &record->setup, record->actions, record->count);
        printf("and then:\n%s", record->failure);
        return 1;
}

/* --------------------------------------------------------------------------------------------------- the search -- */

static uint64_t hazards[HAZARDS], actions, checks, schedules;

static void take(const struct record *record) {
        for (int i = 0; i < HAZARDS; i++)
                hazards[i] += record->hazards[i];
        hazards[HAZARD_EVICTED] += record->evicted;
        actions += record->count;
        checks += record->checks;
        schedules++;
}

static bool search(uint64_t seed, uint64_t wanted, bool quick, bool relays) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        unsigned jobs = cpus < 1 ? 1 : cpus > JOBS_MAX ? JOBS_MAX : (unsigned)cpus, running = 0;
        pid_t pids[JOBS_MAX] = {0};
        bool failed = false;

        while (!failed || running) {
                int status;
                pid_t pid;

                for (unsigned j = 0; j < jobs && !failed && actions < wanted; j++) {
                        if (pids[j])
                                continue;
                        memset(records[j], 0, sizeof *records[j]);
                        setup_of_seed(&records[j]->setup, seed++, LENGTH);
                        if (relays)
                                records[j]->setup.relays = 500;
                        pids[j] = begin(records[j]);
                        running++;
                }
                if (!running)
                        break;
                pid = wait(&status);
                for (unsigned j = 0; j < jobs; j++) {
                        if (pids[j] != pid)
                                continue;
                        pids[j] = 0;
                        running--;
                        take(records[j]);
                        if (status && !failed) {
                                failed = true;
                                put_failure(records[j], status);
                                report(records[j], quick);
                        }
                }
        }
        return !failed;
}

static int replay(const char *path) {
        FILE *from = fopen(path, "r");
        struct record *record = records[0];
        int r = from ? schedule_read(from, &record->setup, record->actions, &record->count) : -errno;

        if (from)
                fclose(from);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(-r));
                return 2;
        }
        if (!still_fails(record)) {
                printf("all as it must be\n");
                return 0;
        }
        printf("%s", record->failure);
        return 1;
}

/* Whether each hazard occurred often enough to say something. */
static bool tell(uint64_t least) {
        bool enough = true;

        printf("%" PRIu64 " schedules, %" PRIu64 " actions, %" PRIu64 " looks at every number\n", schedules, actions,
               checks);
        for (int i = 0; i < HAZARDS; i++) {
                printf("%10" PRIu64 "  %s%s\n", hazards[i], hazard_names[i], hazards[i] < least ? ": too few" : "");
                enough &= hazards[i] >= least;
        }
        return enough;
}

int main(int argc, char **argv) {
        static const struct option options[] = {
                {"actions", required_argument, NULL, 'a'}, {"seed", required_argument, NULL, 's'},
                {"replay", required_argument, NULL, 'r'},  {"hazards", required_argument, NULL, 'h'},
                {"forever", no_argument, NULL, 'f'},       {"quick", no_argument, NULL, 'q'},
                {"relays", no_argument, NULL, 'y'},        {0},
        };
        uint64_t seed = (uint64_t)time(NULL) * 1000003u, wanted = 1000000, least = 1000;
        const char *file = NULL;
        bool quick = false, relays = false;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (c) {
                case 'a':
                        wanted = strtoull(optarg, NULL, 10);
                        break;
                case 's':
                        seed = strtoull(optarg, NULL, 10);
                        break;
                case 'r':
                        file = optarg;
                        break;
                case 'h':
                        least = strtoull(optarg, NULL, 10);
                        break;
                case 'f':
                        wanted = UINT64_MAX;
                        break;
                case 'q':
                        quick = true;
                        patience = 15;
                        break;
                case 'y':
                        relays = true;
                        break;
                default:
                        return 2;
                }
        for (int j = 0; j < JOBS_MAX; j++)
                records[j] = shared(sizeof *records[j]);
        if (file)
                return replay(file);
        printf("from seed %" PRIu64 " on\n", seed);
        fflush(stdout);
        if (!search(seed, wanted, quick, relays))
                return 1;
        return tell(least) ? 0 : 1;
}
