/* SPDX-License-Identifier: MIT */
/*
 * The public header as the library itself needs it: the functions are here, so nobody looks before a call of them.
 */
#pragma once

#define SPANALLOC_INSIDE_
#include "client/include/spanalloc/spanalloc.h"
