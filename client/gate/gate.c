/* SPDX-License-Identifier: MIT */
/* Defines the gate's page; library.c has the kernel wipe it on fork. */
#include "client/gate/gate.h"

union sa_gate_page sa_gate_page __attribute__((aligned(SA_GATE_ALIGN)));

static const struct shm_beacon no_beacon;
struct sa_beacon sa_beacon __attribute__((aligned(SHM_LINE))) = {.now = &no_beacon};
