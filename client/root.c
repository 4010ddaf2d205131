/* SPDX-License-Identifier: MIT */
/*
 * See root.h.
 *
 * Several copies of the library can be in one process: static in the program, shared under a plugin, and inside
 * libspanalloc-malloc.  Each carries an ELF note that leads to its `sa_root`.  Whichever starts first looks at the notes of
 * all loaded objects.  Where one leads already, it follows.  Else the counting allocator's copy shall lead, since
 * allocations are more frequent than spans; else the first in the loader's order, which is the one that calls are bound
 * to.
 */
#include "client/root.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/attach.h"
#include "client/foreign.h"
#include "client/intern.h"
#include "client/lane.h"
#include "client/root_private.h"
#include "shm/handshake.h"
#include "shm/segment.h"

#define ANSWER_MS_MAX   60000
#define COUNTS_PATIENCE 64 /* allocations and frees between two looks at the clock while no collector is there */

union sa_gate_page sa_gate_page __attribute__((aligned(SA_GATE_ALIGN)));
const struct sa_api *_Atomic sa_leader_api;

static const struct sa_api api = {
        .size = sizeof api,
        .version = SPANALLOC_ABI,
        .init = sa_root_init,
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

/* ------------------------------------------------------------------------------------------------ election -- */

static struct sa_root *root_of_note(const char *note, size_t size) {
        while (size >= sizeof(ElfW(Nhdr))) {
                const ElfW(Nhdr) *header = (const void *)note;
                size_t name = (header->n_namesz + 3u) & ~3u, desc = (header->n_descsz + 3u) & ~3u;
                const char *at = note + sizeof *header + name;
                int64_t distance;

                if (sizeof *header + name + desc > size)
                        return NULL;
                if (header->n_type == 1 && header->n_namesz == 10 && header->n_descsz == 8 &&
                    !memcmp(note + sizeof *header, "spanalloc", 10)) {
                        memcpy(&distance, at, sizeof distance);
                        return (struct sa_root *)(at + distance);
                }
                note += sizeof *header + name + desc;
                size -= sizeof *header + name + desc;
        }
        return NULL;
}

struct election {
        struct sa_root *leader, *counter, *first;
};

static bool is_compatible(const struct sa_root *root) {
        return root->magic == SA_ROOT_MAGIC && root->api->version == SPANALLOC_ABI &&
               root->api->size >= sizeof(struct sa_api);
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        struct election *e = userdata;

        for (int i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *p = &info->dlpi_phdr[i];
                struct sa_root *root;

                if (p->p_type != PT_NOTE)
                        continue;
                root = root_of_note((const char *)info->dlpi_addr + p->p_vaddr, p->p_memsz);
                if (!root || !is_compatible(root))
                        continue;
                if (atomic_load(&root->leader) == root)
                        e->leader = root;
                if (!e->counter && root->counter)
                        e->counter = root;
                if (!e->first)
                        e->first = root;
        }
        return 0;
}

static struct sa_root *elect(void) {
        struct election e = {NULL, NULL, NULL};

        dl_iterate_phdr(visit_object, &e);
        return e.leader ? e.leader : e.counter ? e.counter : e.first ? e.first : &sa_root;
}

/* ------------------------------------------------------------------------------------------------ settings -- */

static void choose_socket(void) {
        const char *text = secure_getenv("SPANALLOC_SOCKET"), *runtime = secure_getenv("XDG_RUNTIME_DIR");
        struct stat st;
        size_t n = 0;

        if (stat("/run/spanalloc", &st) == 0 && S_ISDIR(st.st_mode))
                sa_root.run_dir_uid = st.st_uid;
        if (text && *text) {
                if (strlen(text) < sizeof sa_root.socket)
                        strcpy(sa_root.socket, text);
                return;
        }
        if (runtime && *runtime && strlen(runtime) + sizeof "/spanalloc/ingest.sock" <= sizeof sa_root.socket) {
                n = strlen(runtime);
                memcpy(sa_root.socket, runtime, n);
                strcpy(sa_root.socket + n, "/spanalloc/ingest.sock");
                if (access(sa_root.socket, F_OK) == 0)
                        return;
        }
        strcpy(sa_root.socket, "/run/spanalloc/ingest.sock");
}

static void read_environment(void) {
        const char *text;

        choose_socket();
        text = secure_getenv("SPANALLOC_RING_KIB");
        if (text && *text)
                sa_root.ring_kib = (uint32_t)strtoul(text, NULL, 10);
        text = secure_getenv("SPANALLOC_ATTACH_MS");
        if (text && *text && strtoul(text, NULL, 10) <= ANSWER_MS_MAX)
                sa_root.answer_ms = (uint32_t)strtoul(text, NULL, 10);
        text = secure_getenv("SPANALLOC_ON_FULL");
        sa_root.on_full = text && !strcmp(text, "wait") ? SPANALLOC_WAIT : SPANALLOC_REFUSE;
}

static bool is_off(void) {
        const char *text = secure_getenv("SPANALLOC");

        return text && !strcmp(text, "0");
}

/* ------------------------------------------------------------------------------------------------ start-up -- */

/* With a collector that wants to know of every child, one attaches right in fork(), before it does anything. */
static void after_fork_in_child(void) {
        sa_notice_fork();
        if (sa_root_is_eager())
                sa_attach(NULL, true);
}

static uint32_t start(void) {
        if (is_off() || madvise(&sa_gate_page, sizeof sa_gate_page, MADV_WIPEONFORK) < 0)
                return SA_OFF;
        atomic_store(&sa_gate.alive, 1);
        read_environment();
        sa_intern_init();
        pthread_atfork(NULL, NULL, after_fork_in_child);
        return SA_READY;
}

void sa_root_init(void) {
        static _Atomic uint32_t begun;
        struct sa_root *leader;
        int saved;

        if (sa_likely(atomic_load_explicit(&sa_root.leader, memory_order_acquire) != NULL))
                return;
        if (atomic_exchange(&begun, 1))
                return; /* somebody is at it, or a handler interrupted it: until then nothing is recorded */
        saved = errno;
        leader = elect();
        if (leader != &sa_root) {
                leader->api->init(); /* its constructor may come after ours */
                /* [I1] release of the leader's interface, pairs with the acquire in other().  Before the state, which by
                 * itself says that there is nothing to look for: see sa_attach_is_due(). */
                atomic_store_explicit(&sa_leader_api, leader->api, memory_order_release);
                atomic_store(&sa_root.state, SA_OFF);
        } else {
                atomic_store(&sa_root.state, start());
        }
        atomic_store_explicit(&sa_root.leader, leader, memory_order_release);
        errno = saved;
}

__attribute__((constructor)) static void construct(void) {
        sa_root_init();
}

/* --------------------------------------------------------------------------------------- for all copies' use -- */

void sa_root_set_counting(enum shm_counting counting) {
        const struct sa_api *leader = sa_forward();

        if (leader)
                leader->set_counting(counting);
        else
                atomic_store(&sa_root.counting, counting);
}

void sa_root_set_quick(void) {
        uint32_t nobody = 0;

        atomic_store(&sa_root.quick, 1);
        /* Where a constructor that came before has opened a span.  Who attaches at the moment sees to it. */
        if (!atomic_compare_exchange_strong(&sa_gate.attaching, &nobody, 1))
                return;
        atomic_store(&sa_gate.quick, sa_quick_of(atomic_load(&sa_gate.epoch)));
        atomic_store(&sa_gate.attaching, 0);
}

void sa_root_attach_early(void) {
        const struct sa_api *leader = sa_forward();

        if (leader) {
                leader->attach_early();
                return;
        }
        atomic_store(&sa_root.early, 1);
        sa_attach(NULL, false);
}

bool sa_root_is_eager(void) {
        const struct sa_api *leader = sa_forward();

        return leader ? leader->is_eager() : atomic_load(&sa_root.options) & SHM_OPTION_EAGER;
}

void sa_root_tell_exec(int32_t pid, const char *path, bool scrubbed) {
        const struct sa_api *leader = sa_forward();
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC,
                .version = SHM_VERSION,
                .kind = SHM_HELLO_EXEC,
                .flags = scrubbed ? SHM_HELLO_SCRUBBED : 0,
                .pid = pid,
        };
        int saved = errno, fd;

        if (leader) {
                leader->tell_exec(pid, path, scrubbed);
                return;
        }
        strncpy(hello.path, path, sizeof hello.path - 1);
        strcpy(address.sun_path, sa_root.socket);
        fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0) {
                if (syscall(SYS_connect, fd, &address, sizeof address) == 0)
                        syscall(SYS_sendto, fd, &hello, sizeof hello, MSG_NOSIGNAL, NULL, 0);
                syscall(SYS_close, fd);
        }
        errno = saved;
}

/* A process that only counts looks for a collector, and for a new one, now and then, too; a child at once. */
static void look_for_collector(struct sa_thread *self) {
        if (atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed)) {
                if (sa_is_stale())
                        sa_attach(NULL, false);
        } else if (sa_is_patient(self)) {
                self->patience--;
        } else {
                self->patience = sa_attach(NULL, false) < 0 ? COUNTS_PATIENCE : 0; /* 0: its lane at once */
        }
}

/* Between the looks sa_counters() does not come here. */
_Atomic uint64_t *sa_counters_slow(void) {
        const struct sa_api *leader = atomic_load_explicit(&sa_leader_api, memory_order_acquire); /* [I1] */
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (leader)
                return leader->counters();
        if (sa_likely(atomic_load_explicit(&sa_root.state, memory_order_relaxed) == SA_READY)) {
                sa_notice_fork();
                if (atomic_load(&sa_root.early))
                        look_for_collector(self);
                if (self->epoch != SA_NO_EPOCH || atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed)) {
                        lane = sa_lane_slow(self);
                        if (lane)
                                return lane->live;
                }
        }
        /* Plain memory of this thread; the caller's accesses are relaxed. */
        return (_Atomic uint64_t *)self->pending;
}

/* ------------------------------------------------------------------------------------------- public, cold -- */

int sa_root_set_snapshot(spanalloc_snapshot_fn fn) {
        if (!fn)
                return -EINVAL;
        if (atomic_load(&sa_root.threads))
                return -EBUSY;
        atomic_store(&sa_root.snapshot, fn);
        atomic_store(&sa_root.counting, SHM_COUNTING_SNAPSHOT);
        if (atomic_load(&sa_gate.epoch)) {
                uint32_t epoch;
                struct sa_attachment *a = sa_attachment_get(&epoch);

                if (a) {
                        atomic_store(&a->header->counting, SHM_COUNTING_SNAPSHOT);
                        sa_attachment_put(a);
                }
        }
        return 0;
}

int sa_root_attach(const struct spanalloc_options *options) {
        struct spanalloc_options o = {.size = sizeof o};

        if (options && options->size < sizeof options->size)
                return -EINVAL;
        if (options) /* an older program's is shorter */
                memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
        if (o.on_full > SPANALLOC_WAIT)
                return -EINVAL;
        if (o.on_full)
                sa_root.on_full = o.on_full;
        return sa_attach(&o, true);
}

void sa_root_detach(void) {
        if (atomic_load(&sa_root.state) != SA_READY)
                return;
        sa_notice_fork();
        atomic_store(&sa_gate.epoch, 0);
        atomic_store(&sa_gate.quick, 0);
        atomic_store(&sa_gate.attachment, NULL);
        atomic_store(&sa_root.next_try_ns, UINT64_MAX);
        sa_lane_slow(&sa_self);
        sa_attach_rest();
}

static void add_lanes(struct spanalloc_stats *s, struct sa_attachment *a) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                const struct shm_refused *r = &shm_lane_at(a->map, &a->geometry, i)->refused;

                s->refused_enters += shm_load(r->enters);
                s->refused_depth += shm_load(r->enters_depth);
                s->refused_opens += shm_load(r->opens);
                s->refused_closes += shm_load(r->closes);
                s->unmatched_exits += shm_load(r->exits);
                s->nested += shm_load(r->nested);
                s->waits += shm_load(r->waits);
                s->doorbells += shm_load(r->doorbells);
        }
}

void sa_root_stats(struct spanalloc_stats *out) {
        struct spanalloc_stats s = {
                .size = out->size,
                .attached = atomic_load(&sa_gate.epoch) != 0,
                .attach_error = atomic_load(&sa_root.attach_error),
                .attach_attempts = atomic_load(&sa_root.attach_attempts),
                .threads = atomic_load(&sa_root.threads),
                .refused_threads = atomic_load(&sa_root.refused_threads),
                .other_names = atomic_load(&sa_root.other_names),
                .other_paths = atomic_load(&sa_root.other_paths),
                .truncated_names = atomic_load(&sa_root.truncated_names),
        };
        struct sa_attachment *a;
        uint32_t epoch;

        if (out->size < sizeof out->size)
                return;
        a = sa_attachment_get(&epoch);
        if (a) {
                add_lanes(&s, a);
                sa_attachment_put(a);
        }
        memcpy(out, &s, out->size < sizeof s ? out->size : sizeof s);
}
