/* SPDX-License-Identifier: MIT */
/*
 * Messages to the service manager: sd_notify's datagrams, sent without ever waiting.
 */
#pragma once

/* A socket that is connected to $NOTIFY_SOCKET, or -errno; -ENOENT: there is no manager. */
int notify_open(void);
/* `fd` -1: none goes with it.  0 or -errno: it does not read, or is gone. */
int notify_send(int notify_fd, const char *text, int fd);
