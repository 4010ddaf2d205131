/* SPDX-License-Identifier: MIT */
/*
 * The name of a program as its user has it: that of the file that was executed, not of what a symlink leads to.
 */
#pragma once

/* `exe`: the executable, without symlinks.  `comm`: the process's name, which the kernel takes from the executed file, and a
 * program may change.  `command`: the file that `run` executed, or NULL.  Returns a part of one of them. */
const char *program_name(const char *exe, const char *comm, const char *command);
