/* SPDX-License-Identifier: MIT */
/*
 * The verbs of this folder.  verb_top is in ctl/top/top.h, verb_run in ctl/run/run.h.
 *
 * A verb gets the arguments after its name, without options, and returns the program's exit status.
 */
#pragma once

struct ctl;

int verb_status(struct ctl *ctl, int argc, char **argv);
int verb_ps(struct ctl *ctl, int argc, char **argv);
int verb_spans(struct ctl *ctl, int argc, char **argv);
int verb_tree(struct ctl *ctl, int argc, char **argv);
int verb_show(struct ctl *ctl, int argc, char **argv);
int verb_follow(struct ctl *ctl, int argc, char **argv);
int verb_enable(struct ctl *ctl, int argc, char **argv);
int verb_disable(struct ctl *ctl, int argc, char **argv);
int verb_doctor(struct ctl *ctl, int argc, char **argv);
int verb_demo(struct ctl *ctl, int argc, char **argv);
int verb_timing(struct ctl *ctl, int argc, char **argv);
int verb_reset(struct ctl *ctl, int argc, char **argv);
int verb_version(struct ctl *ctl, int argc, char **argv);
int verb_help(struct ctl *ctl, int argc, char **argv);
