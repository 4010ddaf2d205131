/* SPDX-License-Identifier: MIT */
/* Reads the ELF notes of all loaded objects; see election.h. */
#include "client/process/election.h"

#include <elf.h>
#include <link.h>
#include <string.h>

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

struct sa_root *sa_elect(void) {
        struct election e = {NULL, NULL, NULL};

        dl_iterate_phdr(visit_object, &e);
        return e.leader ? e.leader : e.counter ? e.counter : e.first ? e.first : &sa_root;
}
