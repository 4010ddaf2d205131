/* SPDX-License-Identifier: MIT */
/*
 * What the running daemon reports to the service manager: that it works (the watchdog), and how much (STATUS=).
 *
 * What does not live here: readiness, reload and stop, which main.c reports, and the store of descriptors (fdstore.h).
 */
#pragma once

#include "daemon/collector/collector.h"

struct service;

/* Begins to report.  Without $NOTIFY_SOCKET and $WATCHDOG_USEC nothing is sent. */
int service_new(struct service **ret, struct reactor *reactor, struct collector *collector);
struct service *service_free(struct service *service);
