/* SPDX-License-Identifier: MIT */
/*
 * Closing the last descriptor of a file in memory, which gives its pages back: of a large one that takes longer than a
 * slice of the reactor's.
 *
 * What lives here: the thread that does it.  What does not: mappings, which are to be gone before.
 */
#pragma once

/* Closes the descriptor, now where its file is small, else soon, in a thread that ends when it has none left. */
void close_later(int fd);
