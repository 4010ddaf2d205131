/* SPDX-License-Identifier: MIT */
/* Defines the thread-local storage, and the second name that the public header has for its first word. */
#include "client/gate/thread.h"

_Thread_local struct sa_thread sa_self __attribute__((tls_model("initial-exec"))) = {.epoch = SA_NO_EPOCH};
extern _Thread_local int32_t spanalloc_patience_
        __attribute__((alias("sa_self"), tls_model("initial-exec"), visibility("default")));
