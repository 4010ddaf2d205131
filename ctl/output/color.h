/* SPDX-License-Identifier: MIT */
/*
 * Decides on colours: --color first, then NO_COLOR, then whether the terminal has colours.
 */
#pragma once

#include <stdbool.h>

#include "ctl/options/options.h"

bool color_wanted(enum color_mode mode, int fd);
