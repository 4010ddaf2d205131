/* SPDX-License-Identifier: MIT */
/* Text from strangers, made fit for terminals and documents. */
#pragma once

#include <stddef.h>

/* Copies at most `n` bytes of `from`, up to a zero, into `to` of `size` > n: control characters and what is not UTF-8
 * become '?'.  Never longer than what came in.  Returns the length; empty text becomes "(unnamed)" where it fits. */
size_t text_clean(char *to, size_t size, const char *from, size_t n);
