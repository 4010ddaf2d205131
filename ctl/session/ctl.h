/* SPDX-License-Identifier: MIT */
/*
 * What every verb gets: the options as given, and the connection.
 *
 * What does not live here: parsing (options.h), asking (ask.h), failing (fail.h), what a verb does (ctl/verbs/verbs.h).
 */
#pragma once

#include "ctl/options/options.h"

struct client;

struct ctl {
        struct options options;
        struct client *client; /* NULL until ask.h connects */
        unsigned closed_fds;   /* of 0, 1 and 2: those that were closed at the start; bit N is descriptor N */
};
