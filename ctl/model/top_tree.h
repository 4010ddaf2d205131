/* SPDX-License-Identifier: MIT */
/*
 * Within the model: the tree of unit, process, span, child span.
 */
#pragma once

#include "ctl/model/top_list.h"

/* Fills the items with the rows of the tree that no fold hides.  0 or -ENOMEM. */
int top_tree_build(struct top_model *model);
