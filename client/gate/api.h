/* SPDX-License-Identifier: MIT */
/*
 * The public header without the check before a call: the library itself defines the functions.
 */
#pragma once

#define SPANALLOC_INSIDE_
#include "client/include/spanalloc/spanalloc.h"
