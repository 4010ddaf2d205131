/* SPDX-License-Identifier: MIT */
/*
 * Reads from a program's ELF file why the program did not load libspanalloc-malloc, although it was preloaded.
 *
 * What lives here: reading ELF headers of untrusted files.  Processes are in announced.c.
 */
#pragma once

#include <stdbool.h>

/* The phrase for a program that a preloaded allocator would break: the run-time library of its sanitizer must be the first
 * library that is loaded. */
#define ELF_OBSTACLE_SANITIZER "built with a sanitizer that has an allocator of its own"

/* *ret_phrase: why the file cannot be preloaded into, such as "statically linked"; "" if it can.  The text is static.  For a
 * script it is about the interpreter.  0, or -errno when the file cannot be read. */
int elfinfo_obstacle(const char *path, const char **ret_phrase);

/* 1: the ELF file's dynamic symbols define `name`.  0: they do not.  -errno when the file cannot be read. */
int elfinfo_defines(const char *path, const char *name);

/* True if `library`, a name or a path, is the run-time library of a sanitizer with its own allocator. */
bool elfinfo_is_sanitizer(const char *library);
