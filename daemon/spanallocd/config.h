/* SPDX-License-Identifier: MIT */
/*
 * The daemon's settings: defaults, the files in /etc/spanalloc, the command line.  A later one overrides an earlier one.
 *
 * What lives here: the one table of options, from which the parser, the files' keys and --help are made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/books/quota.h"
#include "daemon/host/log.h"
#include "daemon/loop/reactor.h"

enum config_scope { CONFIG_AUTO, CONFIG_SYSTEM, CONFIG_USER };

struct config {
        enum config_scope scope;
        char runtime_dir[4096]; /* "": the scope's own */
        char state_dir[4096];   /* "": none */
        uint64_t state_ns;
        enum reactor_backend backend;
        uint64_t keep_ns;
        uint32_t fd_store; /* descriptors that the service manager keeps; 0: as it says */
        uint32_t ring_kib; /* 0: the default */
        struct config_limits {
                uint64_t processes, ended;             /* of all users */
                uint64_t threads, names, paths;        /* of one process */
                uint64_t connections, connections_uid; /* to the query socket */
                uint64_t uid_max[QUOTA_KINDS];         /* of one user; memory in MiB, 0: a quarter of the machine's */
        } limits;
        enum log_level log_level;
};

enum config_outcome {
        CONFIG_RUN = 0,
        CONFIG_DONE = 1,  /* --help or --version: it was printed */
        CONFIG_USAGE = 2, /* a mistake: it was printed on stderr */
};

/* Reads the files and the command line; may be called again to read the files anew.  Returns a config_outcome. */
int config_load(struct config *ret, int argc, char *argv[]);
void config_print_help(FILE *file);

/* An option as help and the manual show it: `value` is NULL where it takes none. */
struct config_option {
        const char *name, *value, *help;
};
/* The i-th, or false beyond the last. */
bool config_option(size_t i, struct config_option *ret);
