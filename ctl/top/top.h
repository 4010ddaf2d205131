/* SPDX-License-Identifier: MIT */
/*
 * `top`: the verb.  The other files of this folder serve it.
 */
#pragma once

struct ctl;

int verb_top(struct ctl *ctl, int argc, char **argv);
