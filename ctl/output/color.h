/* SPDX-License-Identifier: MIT */
/*
 * Whether to use colours: --color first, then NO_COLOR, then whether a terminal is there that has some.
 */
#pragma once

#include <stdbool.h>

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

bool color_wanted(enum color_mode mode, int fd);
