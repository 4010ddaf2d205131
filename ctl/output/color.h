/* SPDX-License-Identifier: MIT */
/*
 * Whether to use colours: --color first, then NO_COLOR, then whether a terminal is there that has some.
 */
#pragma once

#include <stdbool.h>

#include "ctl/options/options.h"

bool color_wanted(enum color_mode mode, int fd);
