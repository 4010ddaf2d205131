/* SPDX-License-Identifier: MIT */
/*
 * The state of every verb: the options and the connection.
 *
 * What does not live here: parsing (options.h), queries (ask.h), errors (fail.h), the verbs (ctl/verbs/verbs.h).
 */
#pragma once

#include "ctl/options/options.h"

struct client;

struct ctl {
        struct options options;
        struct client *client; /* NULL until ask.h connects */
        unsigned closed_fds;   /* of 0, 1 and 2: those that were closed at the start; bit N is descriptor N */
};
