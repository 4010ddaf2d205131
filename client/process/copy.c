/* SPDX-License-Identifier: MIT */
/*
 * This copy of the library, as other copies in the process find it: the ELF note, `sa_root`, and the table of its
 * functions.  It stands above all other files, since the table names them all.
 */
#include "client/process/counting.h"
#include "client/process/exec_notice.h"
#include "client/process/library.h"
#include "client/segment/intern.h"
#include "client/segment/lease.h"

const struct sa_api *_Atomic sa_leader_api;

static const struct sa_api api = {
        .size = sizeof api,
        .version = SPANALLOC_ABI,
        .init = sa_library_init,
        .open = spanalloc_open,
        .open_under = spanalloc_open_under,
        .enter = spanalloc_enter,
        .exit = spanalloc_exit,
        .close = spanalloc_close,
        .current = spanalloc_current,
        .site_intern = spanalloc_site_intern,
        .set_snapshot = spanalloc_set_snapshot,
        .attach = spanalloc_attach,
        .detach = spanalloc_detach,
        .stats = spanalloc_stats,
        .scope_begin = spanalloc_scope_begin,
        .scope_end = spanalloc_scope_end,
        .counters = sa_counters_slow,
        .set_counting = sa_root_set_counting,
        .attach_early = sa_root_attach_early,
        .is_eager = sa_root_is_eager,
        .tell_exec = sa_root_tell_exec,
        .filter_comes = sa_filter_comes,
        .stack_switch = spanalloc_stack_switch,
};

struct sa_root sa_root = {
        .magic = SA_ROOT_MAGIC,
        .api = &api,
        .counter = &sa_counter_marker,
        .answer_ms = 100,
        .run_dir_uid = UINT64_MAX,
        .name_limit = SA_NAMES,
        .path_limit = SA_PATHS,
};

/* "spanalloc", type 1: the distance from the descriptor to sa_root. */
__asm__(".pushsection .note.spanalloc, \"a\", %note\n"
        "        .balign 4\n"
        "        .long 10, 8, 1\n"
        "        .asciz \"spanalloc\"\n"
        "        .balign 4\n"
#if defined(__aarch64__)
        "        .xword sa_root - .\n"
#else
        "        .quad sa_root - .\n"
#endif
        "        .popsection\n");
