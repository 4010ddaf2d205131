/* SPDX-License-Identifier: MIT */
/*
 * Why a program that was started with the counters preloaded did not load them, read from its file.
 *
 * What lives here: reading ELF headers of untrusted files.  What does not: processes (announced.c).
 */
#pragma once

#include <stdbool.h>

/* The phrase for a program that a preloaded allocator would break: its sanitizer's run-time library has to be first. */
#define ELF_OBSTACLE_SANITIZER "built with a sanitizer that has an allocator of its own"

/* One phrase, static: "statically linked", …; "" when nothing in the file forbids the preload.  For a script, of its
 * interpreter.  -errno when the file cannot be read: it is not there, or not ours to see. */
int elfinfo_obstacle(const char *path, const char **ret_phrase);

/* 1: the ELF file's dynamic symbols define `name`.  0: they do not.  -errno when the file cannot be read. */
int elfinfo_defines(const char *path, const char *name);

/* Whether a library of this name, or path, is the run-time library of a sanitizer that has an allocator of its own. */
bool elfinfo_is_sanitizer(const char *library);
