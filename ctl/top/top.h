/* SPDX-License-Identifier: MIT */
/*
 * `top`: the verb.  All else of this room is behind it.
 */
#pragma once

struct ctl;

int verb_top(struct ctl *ctl, int argc, char **argv);
