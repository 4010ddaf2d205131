/* SPDX-License-Identifier: MIT */
/*
 * See slots.h.  The loader's lock is held while slots are written, so that no object is half loaded then.
 */
#include "client/malloc/slots.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/gate/quiet_process.h"
#include "client/malloc/next.h"
#include "client/malloc/objects.h"

#if defined(__x86_64__) && defined(__LP64__)
#define SLOT_CALLED  R_X86_64_JUMP_SLOT
#define SLOT_ADDRESS R_X86_64_GLOB_DAT
#define SLOT_DATA    R_X86_64_64
#elif defined(__aarch64__) && defined(__LP64__)
#define SLOT_CALLED  R_AARCH64_JUMP_SLOT
#define SLOT_ADDRESS R_AARCH64_GLOB_DAT
#define SLOT_DATA    R_AARCH64_ABS64
#endif

/* The functions, and where the next allocator is: written once, before `is_on`. */
static struct sa_slot_function functions[SA_SLOTS_MAX];
static size_t n_functions, n_of_malloc;
static struct sa_object allocator;
static bool is_on;

/* Objects that were ever loaded, when the slots were seen to last. */
static _Atomic uint64_t loads_seen;

#ifdef SLOT_CALLED

/* ---------------------------------------------------------------------------------------------- one object's slots -- */

struct slots {
        struct sa_object object;
        const ElfW(Rela) * tables[2];
        size_t sizes[2]; /* entries */
        const ElfW(Sym) * symbols;
        const char *names;
        uintptr_t base, relro_begin, relro_end;
        bool is_unlocked;
        bool malloc_is_next; /* what is called malloc is ours, or the next one's */
};

static void read_segments(const struct dl_phdr_info *info, struct slots *slots, const ElfW(Dyn) * *ret_dynamic) {
        uintptr_t page = (uintptr_t)getpagesize();

        *ret_dynamic = NULL;
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
                uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

                if (segment->p_type == PT_DYNAMIC)
                        *ret_dynamic = (const void *)begin;
                if (segment->p_type == PT_GNU_RELRO) {
                        /* Rounded as the loader does. */
                        slots->relro_begin = begin & ~(page - 1);
                        slots->relro_end = (begin + segment->p_memsz) & ~(page - 1);
                }
        }
}

static bool read_slots(const struct dl_phdr_info *info, struct slots *slots) {
        const ElfW(Dyn) * entry;

        slots->base = info->dlpi_addr;
        read_segments(info, slots, &entry);
        for (; entry && entry->d_tag != DT_NULL; entry++) {
                uintptr_t value = entry->d_un.d_ptr;
                const void *pointer = (const void *)(value < slots->base ? slots->base + value : value);

                switch (entry->d_tag) {
                case DT_SYMTAB:
                        slots->symbols = pointer;
                        break;
                case DT_STRTAB:
                        slots->names = pointer;
                        break;
                case DT_JMPREL:
                        slots->tables[0] = pointer;
                        break;
                case DT_PLTRELSZ:
                        slots->sizes[0] = value / sizeof(ElfW(Rela));
                        break;
                case DT_RELA:
                        slots->tables[1] = pointer;
                        break;
                case DT_RELASZ:
                        slots->sizes[1] = value / sizeof(ElfW(Rela));
                        break;
                default:
                        break;
                }
        }
        return slots->symbols && slots->names;
}

/* The function of ours for a slot that holds `value`. */
static void *of_address(uintptr_t value) {
        for (size_t i = 0; i < n_functions; i++)
                if ((uintptr_t)functions[i].next == value)
                        return functions[i].ours;
        return NULL;
}

/* The same for a slot that is bound at its first call: of malloc's kin only where that can be no third one's. */
static void *of_name(const struct slots *slots, const char *name) {
        for (size_t i = slots->malloc_is_next ? 0 : n_of_malloc; i < n_functions; i++)
                if (functions[i].next && !strcmp(functions[i].name, name))
                        return functions[i].ours;
        return NULL;
}

static void write_slot(struct slots *slots, void *_Atomic *slot, void *value) {
        uintptr_t at = (uintptr_t)slot;

        if (at >= slots->relro_begin && at < slots->relro_end && !slots->is_unlocked) {
                if (!sa_calls_begin(&sa_self))
                        return;
                if (mprotect((void *)slots->relro_begin, slots->relro_end - slots->relro_begin,
                             PROT_READ | PROT_WRITE) < 0) {
                        sa_calls_end(&sa_self);
                        return;
                }
                slots->is_unlocked = true;
        }
        /* Relaxed: both values are code that was there before. */
        atomic_store_explicit(slot, value, memory_order_relaxed);
}

static void see_to_slot(struct slots *slots, const ElfW(Rela) * entry) {
        void *_Atomic *slot = (void *_Atomic *)(slots->base + entry->r_offset);
        unsigned type = (unsigned)ELF64_R_TYPE(entry->r_info);
        void *ours = NULL;
        uintptr_t value;

        if ((type != SLOT_CALLED && type != SLOT_ADDRESS && type != SLOT_DATA) || !ELF64_R_SYM(entry->r_info))
                return;
        value = (uintptr_t)atomic_load_explicit(slot, memory_order_relaxed);
        if (sa_object_has(&allocator, (void *)value))
                ours = of_address(value);
        else if (type == SLOT_CALLED && sa_object_has(&slots->object, (void *)value))
                ours = of_name(slots, slots->names + slots->symbols[ELF64_R_SYM(entry->r_info)].st_name);
        if (ours)
                write_slot(slots, slot, ours);
}

static void see_to_object(const struct dl_phdr_info *info, const struct sa_object *object, bool malloc_is_next) {
        struct slots slots = {.object = *object, .malloc_is_next = malloc_is_next};

        if (!read_slots(info, &slots))
                return;
        for (int i = 0; i < 2; i++)
                for (size_t j = 0; slots.tables[i] && j < slots.sizes[i]; j++)
                        see_to_slot(&slots, &slots.tables[i][j]);
        if (slots.is_unlocked) {
                mprotect((void *)slots.relro_begin, slots.relro_end - slots.relro_begin, PROT_READ);
                sa_calls_end(&sa_self);
        }
}

/* ------------------------------------------------------------------------------------------------ all objects -- */

/* What was seen to: so many of the first objects, the last of which begins there.  Under the loader's lock. */
static struct {
        uint32_t n;
        uintptr_t last;
        unsigned long long unloads;
} seen;

struct walk {
        uint32_t at, skip;
        bool malloc_is_next, is_same;
        struct sa_object last;
        uint64_t loads;
        unsigned long long unloads;
};

static int count_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        struct walk *walk = userdata;
        struct sa_object object;

        sa_object_read(info, &object);
        walk->loads = info->dlpi_adds;
        walk->unloads = info->dlpi_subs;
        if (++walk->at == seen.n)
                walk->is_same = object.begin == seen.last;
        walk->last = object;
        if (!sa_object_has(&object, &functions) && !sa_object_has(&object, (void *)sa_call_next(malloc)) &&
            sa_object_defines(info, "malloc"))
                walk->malloc_is_next = false;
        return 0;
}

static int visit_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        struct walk *walk = userdata;
        struct sa_object object;

        if (walk->at++ < walk->skip)
                return 0;
        sa_object_read(info, &object);
        if (!sa_object_has(&object, &functions) && !sa_object_has(&object, (void *)sa_call_next(malloc)))
                see_to_object(info, &object, walk->malloc_is_next);
        return 0;
}

static void see_to_all(bool but_mark) {
        struct walk walk = {.malloc_is_next = true};
        int error = errno;

        dl_iterate_phdr(count_object, &walk);
        walk.skip = walk.is_same && walk.unloads == seen.unloads ? seen.n : 0;
        seen.n = walk.at;
        seen.last = walk.last.begin;
        seen.unloads = walk.unloads;
        walk.at = 0;
        if (!but_mark)
                dl_iterate_phdr(visit_object, &walk);
        /* Relaxed: what is seen to is done under the lock, and a thread that reads an old value only takes it. */
        atomic_store_explicit(&loads_seen, walk.loads, memory_order_relaxed);
        errno = error;
}

/* ------------------------------------------------------------------------------------------------------- dlsym -- */

static void nothing(void) {
}

/* The loader asks what this symbol, which nothing is bound to, stands for, with its lock held: that no other public
 * function lends. */
__attribute__((visibility("default"))) void spanalloc_with_loader_lock(void)
        __attribute__((ifunc("resolve_with_loader_lock")));
static void (*resolve_with_loader_lock(void))(void) __attribute__((used));
static void (*resolve_with_loader_lock(void))(void) {
        if (is_on)
                see_to_all(false);
        return nothing;
}

static void *(*_Atomic next_dlsym)(void *, const char *);

static sa_cold void find_dlsym(void) {
        struct sa_symbol symbol = {"dlsym", NULL};

        sa_objects_find(&symbol, 1, true, NULL);
        sa_objects_find(&symbol, 1, false, NULL);
        atomic_store_explicit(&next_dlsym, (void *(*)(void *, const char *))symbol.address, memory_order_relaxed);
}

static int first_object(struct dl_phdr_info *info, size_t size, void *userdata) {
        *(uint64_t *)userdata = info->dlpi_adds;
        return 1;
}

static sa_aside void look(void) {
        uint64_t loads = 0;

        dl_iterate_phdr(first_object, &loads);
        if (loads != atomic_load_explicit(&loads_seen, memory_order_relaxed))
                atomic_load_explicit(&next_dlsym, memory_order_relaxed)(RTLD_DEFAULT, "spanalloc_with_loader_lock");
}

/* Ends in a jump, so that the loader sees the caller and not us, as RTLD_NEXT needs.  Relaxed: code, as above. */
__attribute__((visibility("default"), no_sanitize("thread", "address"))) void *dlsym(void *restrict handle,
                                                                                     const char *restrict name) {
        if (sa_unlikely(!atomic_load_explicit(&next_dlsym, memory_order_relaxed)))
                find_dlsym();
        if (is_on)
                look();
        return atomic_load_explicit(&next_dlsym, memory_order_relaxed)(handle, name);
}

void sa_slots_start(void) {
        if (!sa_object_of((void *)sa_call_next(malloc), &allocator))
                return;
        n_functions = sa_slots_of_malloc(functions);
        n_functions += sa_slots_of_operators(functions + n_functions);
        /* By its address only. */
        functions[n_functions++] = (struct sa_slot_function){
                "", (void *)atomic_load_explicit(&next_dlsym, memory_order_relaxed), (void *)dlsym};
        n_of_malloc = n_functions;
        n_functions += sa_slots_of_extensions(functions + n_functions);
        see_to_all(n_of_malloc == n_functions);
        is_on = true;
}

#else

void sa_slots_start(void) {
}

#endif
