/* SPDX-License-Identifier: MIT */
/*
 * Spans of time as a person types them.  How they are printed is in ctl/output/format.c.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/options/duration.h"

static double unit_seconds(const char *text, size_t *ret_length) {
        static const struct {
                const char *name;
                double seconds;
        } units[] = {{"ms", 1e-3}, {"min", 60}, {"m", 60}, {"s", 1}, {"h", 3600}, {"d", 86400}};

        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
                if (!strncmp(text, units[i].name, strlen(units[i].name))) {
                        *ret_length = strlen(units[i].name);
                        return units[i].seconds;
                }
        *ret_length = 0;
        return *text ? 0 : 1;
}

int duration_parse(const char *text, uint64_t *ret_ns) {
        double sum = 0;

        do {
                size_t length;
                char *end;
                double number, unit;

                /* strtod alone would take "inf", "0x1" and signs. */
                if (strspn(text, "0123456789.") == 0 || text[1] == 'x' || text[1] == 'X')
                        return -EINVAL;
                number = strtod(text, &end);
                unit = unit_seconds(end, &length);
                if (end == text || unit == 0)
                        return -EINVAL;
                sum += number * unit;
                text = end + length;
        } while (*text);
        if (!(sum >= 0 && sum < 1e9))
                return -EINVAL;
        *ret_ns = (uint64_t)llround(sum * 1e9);
        return 0;
}
