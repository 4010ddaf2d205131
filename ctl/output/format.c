/* SPDX-License-Identifier: MIT */
/*
 * Numbers as text, in units or raw.  Widths and alignment are in render.c and text.c, reading a duration in
 * ctl/options/duration.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/nanoseconds.h"
#include "ctl/output/format.h"

/* Scales down by `base` until the value, rounded to one decimal, stays below it. */
static char *scaled(char buf[FORMAT_MAX], uint64_t value, unsigned base, const char *suffixes) {
        unsigned __int128 divisor = base;
        uint64_t tenths;

        for (;; suffixes++, divisor *= base) {
                tenths = (uint64_t)(((unsigned __int128)value * 10 + divisor / 2) / divisor);
                if (tenths < 10 * (uint64_t)base || !suffixes[1])
                        break;
        }
        snprintf(buf, FORMAT_MAX, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10, *suffixes);
        return buf;
}

static bool raw_bytes;

void format_set_raw(bool raw) {
        raw_bytes = raw;
}

char *format_bytes(char buf[FORMAT_MAX], uint64_t bytes) {
        if (raw_bytes)
                return format_count(buf, bytes);
        if (bytes >= 1024)
                return scaled(buf, bytes, 1024, "KMGTPE");
        snprintf(buf, FORMAT_MAX, "%" PRIu64 "B", bytes);
        return buf;
}

char *format_net_bytes(char buf[FORMAT_MAX], int64_t bytes) {
        char magnitude[FORMAT_MAX];

        format_bytes(magnitude, bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes);
        snprintf(buf, FORMAT_MAX, "%s%.30s", bytes < 0 ? "-" : bytes > 0 ? "+" : "", magnitude);
        return buf;
}

char *format_short_count(char buf[FORMAT_MAX], uint64_t count) {
        if (count >= 10000)
                return scaled(buf, count, 1000, "kMGTPE");
        return format_count(buf, count);
}

char *format_count(char buf[FORMAT_MAX], uint64_t count) {
        snprintf(buf, FORMAT_MAX, "%" PRIu64, count);
        return buf;
}

char *format_duration(char buf[FORMAT_MAX], uint64_t ns) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
        uint64_t seconds = ns / NS_PER_S;

        if (!seconds) {
                snprintf(buf, FORMAT_MAX, "%" PRIu64 "ms", ns / NS_PER_MS);
                return buf;
        }
        for (size_t i = 0; i < 4; i++) {
                uint64_t n = seconds / units[i].seconds, rest = seconds % units[i].seconds;

                if (!n)
                        continue;
                if (i < 3 && rest / units[i + 1].seconds)
                        snprintf(buf, FORMAT_MAX, "%" PRIu64 "%s %" PRIu64 "%s", n, units[i].name,
                                 rest / units[i + 1].seconds, units[i + 1].name);
                else
                        snprintf(buf, FORMAT_MAX, "%" PRIu64 "%s", n, units[i].name);
                break;
        }
        return buf;
}

char *format_clock(char buf[FORMAT_MAX], uint64_t epoch_ns) {
        time_t seconds = (time_t)(epoch_ns / NS_PER_S);
        struct tm tm = {0};

        localtime_r(&seconds, &tm);
        snprintf(buf, FORMAT_MAX, "%02d:%02d:%02d.%03u", tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100,
                 (unsigned)(epoch_ns % NS_PER_S / NS_PER_MS));
        return buf;
}

char *format_ppm(char buf[FORMAT_MAX], uint64_t ppm) {
        if (ppm >= 1000000)
                snprintf(buf, FORMAT_MAX, "100%%");
        else
                snprintf(buf, FORMAT_MAX, "%" PRIu64 ".%02" PRIu64 "%%", ppm / 10000, ppm % 10000 / 100);
        return buf;
}

char *format_short_duration(char buf[FORMAT_MAX], uint64_t ns) {
        static const char *const units[] = {"ns", "us", "ms", "s"};
        double value = (double)ns;
        size_t unit = 0;

        if (ns >= 60 * NS_PER_S)
                return format_duration(buf, ns);
        for (; value >= 999.5 && unit < 3; unit++)
                value /= 1000;
        if (!unit || value >= 99.95)
                snprintf(buf, FORMAT_MAX, "%.0f%s", value, units[unit]);
        else
                snprintf(buf, FORMAT_MAX, value >= 9.995 ? "%.1f%s" : "%.2f%s", value, units[unit]);
        return buf;
}
