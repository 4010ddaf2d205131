/* SPDX-License-Identifier: MIT */
/*
 * Why a program that was started with the counters preloaded did not load them: what its file tells.
 *
 * What lives here: reading ELF headers of files that nobody vouches for.  What does not: processes (announced.c).
 */
#pragma once

/* One phrase, static: "statically linked", …; "" when nothing in the file forbids the preload.  For a script, of its
 * interpreter.  -errno when the file cannot be read: it is not there, or not ours to see. */
int elfinfo_obstacle(const char *path, const char **ret_phrase);
