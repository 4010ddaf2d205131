/* SPDX-License-Identifier: MIT */
/*
 * See objects.h.
 */
#include "client/malloc/objects.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#define WORD_BITS (8 * sizeof(ElfW(Addr)))

/* An address inside this library. */
static const char here;

/* ------------------------------------------------------------------------------------------- one object's table -- */

struct table {
        uintptr_t base;
        const ElfW(Sym) * symbols;
        const char *names;
        const uint32_t *gnu_hash, *hash;
};

/* Some loaders leave the addresses in there as they were linked, some make them absolute. */
static const void *pointer_of(uintptr_t base, ElfW(Addr) value) {
        return (const void *)(value < base ? base + value : value);
}

static bool read_table(const struct dl_phdr_info *info, struct table *table) {
        const ElfW(Dyn) *entry = NULL;

        *table = (struct table){.base = info->dlpi_addr};
        for (unsigned i = 0; i < info->dlpi_phnum; i++)
                if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
                        entry = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        for (; entry && entry->d_tag != DT_NULL; entry++) {
                const void *pointer = pointer_of(table->base, entry->d_un.d_ptr);

                if (entry->d_tag == DT_SYMTAB)
                        table->symbols = pointer;
                else if (entry->d_tag == DT_STRTAB)
                        table->names = pointer;
                else if (entry->d_tag == DT_GNU_HASH)
                        table->gnu_hash = pointer;
                else if (entry->d_tag == DT_HASH)
                        table->hash = pointer;
        }
        return table->symbols && table->names && (table->gnu_hash || table->hash);
}

static void *function_at(const struct table *table, uint32_t index, const char *name) {
        const ElfW(Sym) *symbol = &table->symbols[index];
        unsigned type = symbol->st_info & 0xf, binding = symbol->st_info >> 4;

        if (symbol->st_shndx == SHN_UNDEF || type != STT_FUNC || (binding != STB_GLOBAL && binding != STB_WEAK) ||
            strcmp(table->names + symbol->st_name, name) != 0)
                return NULL;
        return (void *)(table->base + symbol->st_value);
}

/* The two hash tables of the format's definition: GNU's, and System V's. */
static void *find_gnu(const struct table *table, const char *name) {
        const uint32_t *header = table->gnu_hash, n = header[0], first = header[1], words = header[2];
        const ElfW(Addr) *filter = (const void *)(header + 4);
        const uint32_t *buckets = (const void *)(filter + words), *chains = buckets + n;
        uint32_t hash = 5381, i;
        ElfW(Addr) word;
        void *found;

        for (const char *c = name; *c; c++)
                hash = hash * 33 + (unsigned char)*c;
        if (!n || !words)
                return NULL;
        word = filter[hash / WORD_BITS % words];
        if (!(word >> hash % WORD_BITS & word >> (hash >> header[3]) % WORD_BITS & 1))
                return NULL;
        i = buckets[hash % n];
        if (i < first)
                return NULL;
        do {
                found = (chains[i - first] | 1) == (hash | 1) ? function_at(table, i, name) : NULL;
        } while (!found && !(chains[i++ - first] & 1));
        return found;
}

static void *find_sysv(const struct table *table, const char *name) {
        const uint32_t n = table->hash[0], *buckets = table->hash + 2, *chains = buckets + n;
        uint32_t hash = 0;
        void *found = NULL;

        for (const char *c = name; *c; c++) {
                hash = (hash << 4) + (unsigned char)*c;
                hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
        }
        for (uint32_t i = n ? buckets[hash % n] : 0; i && !found; i = chains[i])
                found = function_at(table, i, name);
        return found;
}

/* -------------------------------------------------------------------------------------------------- all objects -- */

void sa_object_read(const struct dl_phdr_info *info, struct sa_object *ret) {
        ret->begin = UINTPTR_MAX;
        ret->end = 0;
        for (unsigned i = 0; i < info->dlpi_phnum; i++) {
                const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
                uintptr_t address = info->dlpi_addr + segment->p_vaddr;

                if (segment->p_type != PT_LOAD)
                        continue;
                ret->begin = address < ret->begin ? address : ret->begin;
                ret->end = address + segment->p_memsz > ret->end ? address + segment->p_memsz : ret->end;
        }
        ret->name = info->dlpi_name;
}

static void *find_function(const struct table *table, const char *name) {
        return table->gnu_hash ? find_gnu(table, name) : find_sysv(table, name);
}

bool sa_object_defines(const struct dl_phdr_info *info, const char *name) {
        struct table table;

        return read_table(info, &table) && find_function(&table, name);
}

struct search {
        const void *address; /* to find the object of, or to leave out the object of */
        struct sa_object object;
        uint32_t met;
        bool met_ours;
        bool behind;
        struct sa_symbol *symbols;
        size_t n;
};

static int match_address(struct dl_phdr_info *info, size_t size, void *userdata) {
        struct search *search = userdata;

        search->object.behind = search->met_ours;
        search->object.order = search->met++;
        sa_object_read(info, &search->object);
        search->met_ours |= sa_object_has(&search->object, &here);
        return sa_object_has(&search->object, search->address);
}

static int find_in(struct dl_phdr_info *info, size_t size, void *userdata) {
        struct search *search = userdata;
        struct table table;
        size_t missing = 0;

        sa_object_read(info, &search->object);
        if (sa_object_has(&search->object, &here)) {
                search->met_ours = true;
                return 0;
        }
        if ((search->behind && !search->met_ours) || sa_object_has(&search->object, search->address) ||
            !read_table(info, &table))
                return 0;
        for (size_t i = 0; i < search->n; i++) {
                struct sa_symbol *symbol = &search->symbols[i];

                if (!symbol->address)
                        symbol->address = find_function(&table, symbol->name);
                missing += !symbol->address;
        }
        return !missing;
}

bool sa_object_of(const void *address, struct sa_object *ret) {
        struct search search = {.address = address};

        if (!dl_iterate_phdr(match_address, &search))
                return false;
        *ret = search.object;
        return true;
}

bool sa_is_ours(const void *function) {
        struct sa_object object;

        return sa_object_of(function, &object) && sa_object_has(&object, &here);
}

void sa_objects_find(struct sa_symbol symbols[], size_t n, bool behind, const void *not_in) {
        struct search search = {.address = not_in, .behind = behind, .symbols = symbols, .n = n};

        dl_iterate_phdr(find_in, &search);
}

void *sa_next_function(const char *name) {
        void *function = dlsym(RTLD_NEXT, name);
        struct sa_symbol symbol = {name, NULL};
        struct sa_object object;

        if (function && sa_object_of(function, &object) && object.behind)
                return function;
        /* The result lies before this library: it was searched from another object's place.  It is right only if dlopen
         * loaded this library. */
        sa_objects_find(&symbol, 1, true, NULL);
        if (symbol.address)
                return symbol.address;
        if (function && !sa_is_ours(function))
                return function;
        sa_objects_find(&symbol, 1, false, NULL);
        return symbol.address;
}

void *sa_next_allocator_function(const char *name) {
        void *function = sa_next_function(name);
        struct sa_symbol symbol = {name, NULL};
        struct sa_object object, first;

        sa_objects_find(&symbol, 1, true, NULL);
        if (symbol.address && function && sa_object_of(symbol.address, &first) && sa_object_of(function, &object) &&
            first.order < object.order)
                return symbol.address;
        return function;
}

void *sa_outer_function(const char *name) {
        void *function = dlsym(RTLD_DEFAULT, name);
        struct sa_symbol symbol = {name, NULL};
        struct sa_object object;

        if (!function || !sa_is_ours(function))
                return function;
        sa_objects_find(&symbol, 1, false, NULL);
        return symbol.address && sa_object_of(symbol.address, &object) && !object.behind ? symbol.address : NULL;
}
