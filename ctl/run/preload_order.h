/* SPDX-License-Identifier: MIT */
/*
 * The value of LD_PRELOAD with the counting library in its place among what is preloaded already.
 *
 * What does not live here: the rest of the environment (run_preload.h), and a unit's drop-in (dropin.h).
 */
#pragma once

/* `list`, as the dynamic loader takes it apart, with colons between, and with `library` once; NULL: without it.  Another
 * libspanalloc-malloc is left out.  The library comes first, so that an allocator is under it and is counted, but behind
 * the leading entries that must be first: run-time libraries of sanitizers, which end the program otherwise, and
 * libraries that have a malloc and no malloc_usable_size, which pass each call on and would hide the sizes.  To be
 * freed.  NULL: no memory. */
char *preload_order(const char *list, const char *library);
