/* SPDX-License-Identifier: MIT */
/*
 * See intern.h.
 *
 * Paths are appended one after the other: the thread whose compare-and-swap of an entry's key succeeds owns that id.
 * The owner, or a thread that meets the entry first, puts it into the segment and the index before any thread goes past
 * it.  So all entries below `path_count` are in the index, and a search that fails there has seen them all.
 *
 * A name is longer than a word: its entry is filled before it is marked ready, and the index decides which of two equal
 * entries is used.  The other one stays, marked as a duplicate; that happens only in a race.
 */
#include "client/segment/intern.h"

#include <errno.h>
#include <string.h>

#include "client/gate/root.h"
#include "client/segment/attachments.h"

/* The index of names, and the part of it where a search begins. */
#define NAME_SLOTS   (2 * SA_NAMES)
#define FIRST_SLOTS  1024u
#define FIRST_PROBES 16u

/* The index of paths is tables, each twice as large as the one before: table t has 2^(FIRST_BITS + t) slots, and only
 * paths with ids below half as many, so it always has room, and a program of a few hundred paths has one page. */
#define FIRST_BITS 9u
#define TABLES     10u
#define PATH_SLOTS ((1u << (FIRST_BITS + TABLES)) - (1u << FIRST_BITS))
/* A slot has all of a path in one word, and that never changes: parent, name, id. */
#define PATH_BITS  17u
#define NAME_BITS  14u
#define LINE_SLOTS (SHM_LINE / sizeof(uint64_t))
/* Entries that are mapped in a new segment beyond those that have ids: one for each thread that takes an id while the
 * process attaches. */
#define AHEAD 64u
_Static_assert(1u << PATH_BITS >= SA_PATHS && 1u << NAME_BITS >= SA_NAMES && 2 * PATH_BITS + NAME_BITS <= 64, "");
_Static_assert(1u << (FIRST_BITS + TABLES - 1) >= 2 * SA_PATHS, "the last table has room for all");

static struct shm_name names[SA_NAMES];
static spanalloc_site sites[SA_NAMES]; /* of run-time names */
static _Atomic uint32_t name_count = 1;
static _Atomic uint32_t name_index[NAME_SLOTS]; /* an id, and above it as many bits of the text's hash as fit */

static _Atomic uint64_t path_keys[SA_PATHS];
static _Atomic uint32_t path_count = 1; /* entries [1, path_count) are in the index */
static _Alignas(SHM_PAGE) _Atomic uint64_t path_index[PATH_SLOTS];

/* Every access below that is not named here is seq_cst: these are cold paths, and the pair [N1] needs it. */

static uint32_t hash_text(const char *text, size_t n) {
        uint64_t h = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < n; i++)
                h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
        return (uint32_t)(h ^ (h >> 32));
}

/* -------------------------------------------------------------------------------------- copies in a segment -- */

static bool copy_name(struct sa_attachment *a, uint32_t id) {
        struct shm_name *to = sa_name_mapped(a, id);
        const struct shm_name *from = &names[id];

        if (!to)
                return false;
        /* Two threads may copy the same entry at once: they store the same bytes. */
        shm_store(to->line, from->line);
        shm_store(to->name_length, from->name_length);
        shm_store(to->file_length, from->file_length);
        shm_store_text(to->name, from->name, sizeof to->name);
        shm_store_text(to->file, from->file, sizeof to->file);
        /* [N2] release of `state`, pairs with the acquire in learn_name().
         * Publishes: the entry's text.  Without it: a name is read before it is whole. */
        atomic_store_explicit(&to->state, SHM_NAME_READY, memory_order_release);
        return true;
}

static bool copy_path(struct sa_attachment *a, uint32_t id, uint64_t key) {
        struct shm_path *to = sa_path_mapped(a, id);

        if (!to)
                return false;
        atomic_store_explicit(&to->key, key, memory_order_relaxed);
        /* Relaxed: a reader learns of the id from a record, which is published after this ([R1]). */
        return true;
}

/* Maps the entry of an id before a thread takes that id.  False if that fails. */
static bool is_name_mapped(uint32_t id) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        bool mapped = true;

        if (!a)
                return true;
        mapped = id >= a->geometry.name_capacity || sa_name_mapped(a, id);
        sa_attachment_put(a);
        return mapped;
}

static bool is_path_mapped(uint32_t id) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        bool mapped = true;

        if (!a)
                return true;
        mapped = id >= a->geometry.path_capacity || sa_path_mapped(a, id);
        sa_attachment_put(a);
        return mapped;
}

/* [N1] seq_cst here and in sa_intern_copy(): an entry is stored, then the attachment is loaded; the attachment is
 * stored, then the entries are loaded.  One of the two sees the other, so no entry is missing from a segment. */
static void publish_name(uint32_t id) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);

        if (!a)
                return;
        if (id < a->geometry.name_capacity)
                copy_name(a, id);
        sa_attachment_put(a);
}

static void publish_path(uint32_t id, uint64_t key) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);

        if (!a)
                return;
        if (id < a->geometry.path_capacity)
                copy_path(a, id, key);
        sa_attachment_put(a);
}

int sa_intern_map(struct sa_attachment *a) {
        uint64_t last_name = atomic_load(&name_count) + AHEAD, last_path = atomic_load(&path_count) + AHEAD;

        if (!sa_map_up_to(&a->map, SA_REGION_NAMES, last_name * sizeof(struct shm_name)) ||
            !sa_map_up_to(&a->map, SA_REGION_PATHS, last_path * sizeof(struct shm_path)))
                return -ENOMEM;
        return 0;
}

int sa_intern_copy(struct sa_attachment *a) {
        /* [N1] */
        for (uint32_t id = 1; id < SA_NAMES; id++) {
                uint32_t state = atomic_load(&names[id].state);

                if (id >= atomic_load(&name_count))
                        break;
                if (state == SHM_NAME_EMPTY) /* being filled: its owner publishes it, by [N1] */
                        continue;
                if (id >= a->geometry.name_capacity)
                        return -E2BIG;
                if (!copy_name(a, id))
                        return -ENOMEM;
        }
        for (uint32_t id = 1; id < SA_PATHS; id++) {
                uint64_t key = atomic_load(&path_keys[id]);

                if (!key)
                        break;
                if (id >= a->geometry.path_capacity)
                        return -E2BIG;
                if (!copy_path(a, id, key))
                        return -ENOMEM;
        }
        return 0;
}

/* ------------------------------------------------------------------------------------------------- names -- */

static uint16_t cut(const char *text, size_t room) {
        size_t n = strnlen(text, room);

        if (n == room) { /* too long: cut before a character, not inside one */
                n = room - 1;
                while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
                        n--;
        }
        return (uint16_t)n;
}

static void fill_name(struct shm_name *entry, const char *text, uint16_t n, const char *file, uint32_t line) {
        size_t f = file ? strlen(file) : 0;

        if (f >= sizeof entry->file) { /* the end of a path is the more telling part */
                file += f - (sizeof entry->file - 1);
                f = sizeof entry->file - 1;
        }
        memcpy(entry->name, text, n);
        entry->name[n] = 0;
        entry->name_length = n;
        if (f)
                memcpy(entry->file, file, f);
        entry->file[f] = 0;
        entry->file_length = (uint16_t)f;
        entry->line = line;
}

/* The slot of the `probe`-th try: first some in the first page, so that a program of a few hundred names uses only that
 * page, then the whole index from the hash on.  A slot never changes once it is set, so for each hash the slots before
 * its own are occupied. */
static uint32_t slot_of(uint32_t hash, uint32_t probe) {
        return (hash + probe) % (probe < FIRST_PROBES ? FIRST_SLOTS : NAME_SLOTS);
}

/* Finds or inserts `id` (0: only finds).  Returns the id that the index holds for this text, or 0. */
static uint32_t index_name(const char *text, uint16_t n, uint32_t id) {
        uint32_t hash = hash_text(text, n), tag = hash & ~(SA_NAMES - 1);

        for (uint32_t probe = 0;; probe++) {
                _Atomic uint32_t *at = &name_index[slot_of(hash, probe)];
                uint32_t there = atomic_load(at), other;

                if (!there) {
                        if (!id)
                                return 0;
                        if (atomic_compare_exchange_strong(at, &there, tag | id))
                                return id;
                }
                other = there & (SA_NAMES - 1);
                if (there - other == tag && names[other].name_length == n && !memcmp(names[other].name, text, n))
                        return other;
        }
}

static uint32_t intern_name(const char *text, const char *file, uint32_t line) {
        uint16_t n = cut(text, SHM_NAME_BYTES);
        uint32_t id, found;

        found = index_name(text, n, 0);
        if (found)
                return found;
        if (text[n])
                atomic_fetch_add(&sa_root.truncated_names, 1);

        id = atomic_load(&name_count);
        do {
                if (id >= SA_NAMES || id >= atomic_load(&sa_root.name_limit) || !is_name_mapped(id)) {
                        atomic_fetch_add(&sa_root.other_names, 1);
                        return SHM_NAME_OTHER;
                }
        } while (!atomic_compare_exchange_weak(&name_count, &id, id + 1));

        fill_name(&names[id], text, n, file, line);
        sites[id] = (spanalloc_site){.abi = SPANALLOC_ABI, .name = names[id].name, .reserved = id};
        atomic_store(&names[id].state, SHM_NAME_READY);
        publish_name(id);
        found = index_name(text, n, id);
        if (found != id)
                atomic_store(&names[id].state, SHM_NAME_DUPLICATE);
        return found;
}

spanalloc_site *sa_site_intern(const char *name) {
        return &sites[intern_name(name ? name : "", NULL, 0)];
}

/* ------------------------------------------------------------------------------------------------- paths -- */

/* What is before the id in a path's word. */
static uint32_t wanted(uint32_t parent, uint32_t name) {
        return parent << NAME_BITS | name;
}

/* The last table that has paths with ids below `count`. */
static uint32_t table_for(uint32_t count) {
        uint32_t halves = (count - 1) >> (FIRST_BITS - 1);

        return halves ? 32 - (uint32_t)__builtin_clz(halves) : 0;
}

/* Names that follow each other have the same under one parent, and so one line of the index: what was made together
 * is used together.  Multiplied once, the hashes of many parents with many children each would fall on each other. */
static uint32_t hash_path(uint32_t want) {
        uint64_t mixed = want / LINE_SLOTS * UINT64_C(0x9e3779b97f4a7c15);

        return (uint32_t)((mixed ^ mixed >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* The path's slot in a table, or the empty one where its search ends.  Sets *ret to what is in it. */
static _Atomic uint64_t *seek_path(uint32_t table, uint32_t want, uint64_t *ret) {
        uint32_t bits = FIRST_BITS + table, mask = (1u << bits) - 1;
        uint32_t slot = hash_path(want) >> (32 - bits) ^ (want & (LINE_SLOTS - 1));

        for (;; slot = (slot + 1) & mask) {
                _Atomic uint64_t *at = &path_index[(1u << bits) - (1u << FIRST_BITS) + slot];

                /* [N4] acquire of a slot, pairs with the release in index_path(), which publishes the path's entry in
                 * the segment.  Without it: the fault that [N3] names. */
                *ret = atomic_load_explicit(at, memory_order_acquire);
                if (!*ret || *ret >> PATH_BITS == want)
                        return at;
        }
}

/* Puts a path into a table if it is not there yet.  Two threads with the same path meet at the same slot. */
static void index_path(uint32_t table, uint64_t word) {
        uint64_t there;
        _Atomic uint64_t *at;

        do {
                at = seek_path(table, (uint32_t)(word >> PATH_BITS), &there);
                if (there)
                        return;
        } while (!atomic_compare_exchange_strong_explicit(at, &there, word, memory_order_release, /* [N4] */
                                                          memory_order_relaxed /* read again */));
}

/* Searches all paths with ids below `count`, and perhaps some more: an id, or 0.  The last table holds half of them,
 * and those that were searched for since it came into use. */
static uint32_t find_path(uint32_t want, uint32_t count) {
        uint32_t last = table_for(count);

        for (uint32_t table = last + 1; table--;) {
                uint64_t word;

                seek_path(table, want, &word);
                if (!word)
                        continue;
                if (table != last)
                        index_path(last, word);
                return (uint32_t)word & (SA_PATHS - 1);
        }
        return 0;
}

/* Puts entry `id` into the segment and the index if it is not there yet, and raises the count past it. */
static void settle_path(uint32_t id, uint64_t key) {
        publish_path(id, key);
        index_path(table_for(id + 1), (uint64_t)wanted((uint32_t)(key >> 32), (uint32_t)key) << PATH_BITS | id);
        atomic_compare_exchange_strong(&path_count, &(uint32_t){id}, id + 1);
}

static uint32_t append_path(uint32_t parent, uint32_t name) {
        uint64_t key = (uint64_t)parent << 32 | name;

        for (;;) {
                uint32_t id = atomic_load(&path_count), found = find_path(wanted(parent, name), id);
                uint64_t there = 0;

                if (found)
                        return found;
                if (id >= SA_PATHS || id >= atomic_load(&sa_root.path_limit) || !is_path_mapped(id)) {
                        atomic_fetch_add(&sa_root.other_paths, 1);
                        return SHM_PATH_OTHER;
                }
                if (atomic_compare_exchange_strong(&path_keys[id], &there, key)) {
                        settle_path(id, key);
                        return id;
                }
                settle_path(id, there);
        }
}

/* The node of `path` or above it that has this name, or 0: then sets *ret_depth to the depth of `path`. */
static uint32_t find_ancestor(uint32_t path, uint32_t name, uint32_t *ret_depth) {
        uint32_t depth = 0;

        for (; path; depth++) {
                uint64_t key = atomic_load(&path_keys[path]);

                if ((uint32_t)key == name)
                        return path;
                path = (uint32_t)(key >> 32);
        }
        *ret_depth = depth;
        return 0;
}

void sa_intern_init(void) {
        if (intern_name("(other)", NULL, 0) == SHM_NAME_OTHER)
                append_path(0, SHM_NAME_OTHER);
}

/* For a name that has no path under this parent yet. */
static uint32_t new_path(uint32_t parent, uint32_t name) {
        uint32_t depth = 0, path = find_ancestor(parent, name, &depth);

        if (path)
                return path;
        if (depth >= SHM_PATH_DEPTH_MAX) {
                atomic_fetch_add(&sa_root.other_paths, 1);
                return SHM_PATH_OTHER;
        }
        return append_path(parent, name);
}

/* A site's name never changes, so it is looked up once. */
static uint32_t name_of(spanalloc_site *site) {
        /* [N5] acquire of the site's name, pairs with the release below.  Publishes: the name's entry in the segment.
         * Without it: a record could lead to a name that the collector does not find. */
        uint64_t name = __atomic_load_n(&site->reserved, __ATOMIC_ACQUIRE);

        if (name && name < SA_NAMES)
                return (uint32_t)name;
        name = intern_name(site->name ? site->name : "", site->file, site->line);
        /* A name that found no room is counted each time. */
        if (name != SHM_NAME_OTHER)
                __atomic_store_n(&site->reserved, name, __ATOMIC_RELEASE); /* [N5] */
        return (uint32_t)name;
}

uint32_t sa_path_intern(spanalloc_site *site, uint32_t parent) {
        uint32_t name = name_of(site), path;

        if (parent >= SA_PATHS)
                parent = 0;
        path = find_path(wanted(parent, name), atomic_load(&path_count));
        if (!path) {
                if (parent && !atomic_load(&path_keys[parent]))
                        parent = 0;
                path = new_path(parent, name);
        }
        /* [N3] release of the site's cache, pairs with the acquire in sa_path_at_hand().  Publishes: the path's
         * entry in the segment.  Without it: a record could name a path that the collector does not find. */
        if (path != SHM_PATH_OTHER && name != SHM_NAME_OTHER) /* those are counted each time */
                __atomic_store_n(&site->cache, (uint64_t)parent << 32 | path, __ATOMIC_RELEASE);
        return path;
}
