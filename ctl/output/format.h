/* SPDX-License-Identifier: MIT */
/*
 * Numbers as people read them.  Every function fills `buf`, always terminates it, and returns it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FORMAT_MAX = 32 };

/* From now on numbers of bytes are whole, without units (--raw). */
void format_set_raw(bool raw);

/* 512B, 1.5K, 3.0G: powers of 1024 with one decimal, rounded to nearest. */
char *format_bytes(char buf[FORMAT_MAX], uint64_t bytes);
char *format_net_bytes(char buf[FORMAT_MAX], int64_t bytes); /* with its sign, also when positive */
/* 999, 12.3k, 4.0M: powers of 1000, for narrow columns. */
char *format_short_count(char buf[FORMAT_MAX], uint64_t count);
char *format_count(char buf[FORMAT_MAX], uint64_t count);
/* 350ms, 12s, 3min 4s, 2h 10min, 5d 3h. */
char *format_duration(char buf[FORMAT_MAX], uint64_t ns);
/* Three digits: 850ns, 12.3us, 4.56ms, 1.50s; from a minute on the same as format_duration(). */
char *format_short_duration(char buf[FORMAT_MAX], uint64_t ns);
/* The time of day in the local time zone, 12:34:56.789; `epoch_ns` is nanoseconds since 1970 in UTC. */
char *format_clock(char buf[FORMAT_MAX], uint64_t epoch_ns);
/* 99.98%: never rounded up to 100 while something is missing. */
char *format_ppm(char buf[FORMAT_MAX], uint64_t ppm);
