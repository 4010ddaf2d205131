/* SPDX-License-Identifier: MIT */
/*
 * What the service manager hears of us while we run: that work gets done (the watchdog), and how much (STATUS=).
 *
 * What does not live here: readiness, reload and stop, which main.c tells, and what it keeps for us (fdstore.h).
 */
#pragma once

#include "daemon/collector/collector.h"

struct service;

/* Starts to tell.  Where nobody asked for it, by $NOTIFY_SOCKET and $WATCHDOG_USEC, nothing is told. */
int service_new(struct service **ret, struct reactor *reactor, struct collector *collector);
struct service *service_free(struct service *service);
