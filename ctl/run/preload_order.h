/* SPDX-License-Identifier: MIT */
/*
 * The value of LD_PRELOAD with the counting library among the libraries that are preloaded already.
 *
 * What does not live here: the rest of the environment (run_preload.h), and a unit's drop-in (dropin.h).
 */
#pragma once

/* The entries of `list` as the dynamic loader splits it, joined by colons, with `library` once (NULL: without it)
 * and without any other libspanalloc-malloc.  The library comes before allocators, so that it counts them.  Two
 * kinds of leading entries stay before it: run-time libraries of sanitizers, which otherwise end the program, and
 * libraries with a malloc and no malloc_usable_size, which pass each call on and would hide the sizes.  To be
 * freed.  NULL: no memory. */
char *preload_order(const char *list, const char *library);
