/* SPDX-License-Identifier: MIT */
/*
 * What the values of `counting` mean.  Why a heap is not counted is found by the collector.
 */
#include <string.h>

#include "ctl/output/counting.h"

bool counting_is_missing(const char *counting) {
        static const char nothing[] = "nothing", not_counted[] = "not counted";

        return !strncmp(counting, nothing, strlen(nothing)) || !strncmp(counting, not_counted, strlen(not_counted));
}

bool counting_is_in_filter(const char *counting) {
        return !counting_is_missing(counting) && strstr(counting, "; in a seccomp filter") != NULL;
}
