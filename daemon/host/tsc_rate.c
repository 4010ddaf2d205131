/* SPDX-License-Identifier: MIT */
/* See tsc_rate.h. */
#include "daemon/host/tsc_rate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "shm/clock.h"

#define LEAST_NS (20 * NS_PER_MS)
#define TRIES    8

#define SOURCES  "/sys/devices/system/clocksource/clocksource0/available_clocksource"

/* The closest of several pairs of readings: a thread may be interrupted between the two. */
static struct rate both(void) {
        uint64_t least = UINT64_MAX;
        struct rate best = {0};

        for (int i = 0; i < TRIES; i++) {
                uint64_t before = shm_clock(), ns = clock_ns(CLOCK_MONOTONIC_RAW), after = shm_clock();

                if (after - before >= least)
                        continue;
                least = after - before;
                best = (struct rate){before + (after - before) / 2, ns};
        }
        return best;
}

void rate_begin(struct rate *rate) {
        *rate = both();
}

uint64_t rate_measure(const struct rate *rate) {
        uint64_t passed = clock_ns(CLOCK_MONOTONIC_RAW) - rate->ns;
        struct rate now;

        if (passed < LEAST_NS)
                clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = (long)(LEAST_NS - passed)}, NULL);
        now = both();
        if (now.ns <= rate->ns)
                return 0;
        return (uint64_t)((unsigned __int128)(now.ticks - rate->ticks) * NS_PER_S / (now.ns - rate->ns));
}

#if defined(__x86_64__)
static bool is_listed(const char *sources, const char *name) {
        const char *at = strstr(sources, name);

        return at && (at == sources || at[-1] == ' ') && strchr(" \n", at[strlen(name)]);
}
#endif

int rate_check(char *why, size_t size) {
#if defined(__aarch64__)
        return 0; /* the architecture promises it */
#elif defined(__x86_64__)
        char sources[256] = "";
        FILE *file = fopen(SOURCES, "re");

        if (!file)
                return 0; /* a container without /sys: nothing says that it is not steady */
        if (!fgets(sources, sizeof sources, file))
                sources[0] = 0;
        fclose(file);
        if (is_listed(sources, "tsc"))
                return 0;
        snprintf(why, size, "the kernel does not trust this processor's timestamp counter (no tsc in %s)", SOURCES);
        return -EOPNOTSUPP;
#else
        snprintf(why, size, "there is no timestamp counter on this architecture");
        return -EOPNOTSUPP;
#endif
}
