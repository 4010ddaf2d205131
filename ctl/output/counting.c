/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/output/counting.h"

bool counting_is_missing(const char *counting) {
        static const char nothing[] = "nothing", not_counted[] = "not counted";

        return !strncmp(counting, nothing, strlen(nothing)) || !strncmp(counting, not_counted, strlen(not_counted));
}
