/* SPDX-License-Identifier: MIT */
/*
 * See target.h.  The file is read as the kernel and the loader read it: by its program headers.
 */
#include "client/malloc/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "client/gate/quiet_process.h"

#define SCRIPT_DEPTH 5 /* as the kernel's */
#define HEADERS_MAX  64

static const char variable[] = "LD_PRELOAD=";

/* ------------------------------------------------------------------------------------------------- the program -- */

struct file {
        int fd;
        ElfW(Phdr) segments[HEADERS_MAX];
        unsigned n;
};

static bool is_sanitizer(const char *name) {
        static const char *const names[] = {"libasan.so", "libtsan.so", "liblsan.so", "libhwasan.so", "libclang_rt."};

        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (!strncmp(name, names[i], strlen(names[i])))
                        return strncmp(name, "libclang_rt.ubsan", strlen("libclang_rt.ubsan")) != 0;
        return false;
}

/* As pread(2), which is a cancellation point: exec is none. */
static ssize_t read_at(const struct file *file, void *to, size_t n, off_t offset) {
        return (ssize_t)sa_call(SYS_pread64, file->fd, (long)to, (long)n, (long)offset, 0, 0);
}

/* Where in the file that is which is mapped at `address`; -1: nowhere. */
static off_t offset_of(const struct file *file, ElfW(Addr) address) {
        for (unsigned i = 0; i < file->n; i++) {
                const ElfW(Phdr) *segment = &file->segments[i];

                if (segment->p_type == PT_LOAD && address - segment->p_vaddr < segment->p_filesz)
                        return (off_t)(address - segment->p_vaddr + segment->p_offset);
        }
        return -1;
}

/* The next entry of the dynamic section that has this tag, from `*at` on. */
static bool next_entry(const struct file *file, const ElfW(Phdr) * dynamic, ElfW(Sxword) tag, size_t *at,
                       ElfW(Dyn) * ret) {
        for (; *at + sizeof *ret <= dynamic->p_filesz; *at += sizeof *ret) {
                if (read_at(file, ret, sizeof *ret, (off_t)(dynamic->p_offset + *at)) != sizeof *ret ||
                    ret->d_tag == DT_NULL)
                        return false;
                if (ret->d_tag == tag) {
                        *at += sizeof *ret;
                        return true;
                }
        }
        return false;
}

static bool needs_sanitizer(const struct file *file, const ElfW(Phdr) * dynamic) {
        char name[32];
        size_t at = 0;
        ElfW(Dyn) entry;
        off_t strings;

        if (!next_entry(file, dynamic, DT_STRTAB, &at, &entry))
                return false;
        strings = offset_of(file, entry.d_un.d_ptr);
        at = 0;
        while (strings >= 0 && next_entry(file, dynamic, DT_NEEDED, &at, &entry)) {
                ssize_t n = read_at(file, name, sizeof name - 1, strings + (off_t)entry.d_un.d_val);

                name[n > 0 ? n : 0] = '\0';
                if (is_sanitizer(name))
                        return true;
        }
        return false;
}

static bool is_sanitized(struct file *file, const char *start, size_t size) {
        const ElfW(Ehdr) *header = (const void *)start;
        size_t bytes;

        if (size < sizeof *header || memcmp(start, ELFMAG, SELFMAG) != 0 ||
            start[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
            header->e_phentsize != sizeof *file->segments || header->e_phnum > HEADERS_MAX)
                return false;
        file->n = header->e_phnum;
        bytes = file->n * sizeof *file->segments;
        if (read_at(file, file->segments, bytes, (off_t)header->e_phoff) != (ssize_t)bytes)
                return false;
        for (unsigned i = 0; i < file->n; i++)
                if (file->segments[i].p_type == PT_DYNAMIC)
                        return needs_sanitizer(file, &file->segments[i]);
        return false;
}

/* "#!interpreter argument": the interpreter's path, in place.  NULL: not a script. */
static const char *interpreter_of(char *start) {
        char *path;

        if (start[0] != '#' || start[1] != '!')
                return NULL;
        path = start + 2 + strspn(start + 2, " \t");
        path[strcspn(path, " \t\n")] = '\0';
        return path;
}

bool sa_target_is_sanitized(const char *path) {
        _Alignas(ElfW(Ehdr)) char start[512];
        int error = errno;
        bool is = false;
        struct file file;

        for (int depth = 0; path && depth < SCRIPT_DEPTH; depth++) {
                ssize_t n;

                /* Without O_NONBLOCK a fifo of that name would stop us. */
                file.fd = (int)sa_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                                       0, 0, 0);
                if (file.fd < 0)
                        break;
                n = read_at(&file, start, sizeof start - 1, 0);
                start[n > 0 ? n : 0] = '\0';
                is = is_sanitized(&file, start, n > 0 ? (size_t)n : 0);
                sa_call(SYS_close, file.fd, 0, 0, 0, 0, 0);
                path = interpreter_of(start);
        }
        errno = error;
        return is;
}

/* --------------------------------------------------------------------------------------------- the environment -- */

/* The entry of a list at `at`, which ends at blank or colon, is this library. */
static bool is_ours(const char *at, size_t length) {
        const char *base = at + length;

        while (base > at && base[-1] != '/')
                base--;
        return !strncmp(base, SA_OUR_FILE, sizeof SA_OUR_FILE - 1);
}

const char *sa_target_preload(char *const environment[]) {
        for (size_t i = 0; environment && environment[i]; i++)
                if (!strncmp(environment[i], variable, sizeof variable - 1))
                        return strstr(environment[i], SA_OUR_FILE) ? environment[i] : NULL;
        return NULL;
}

size_t sa_target_environment_size(char *const environment[]) {
        size_t n = 0, text = 0;

        for (; environment[n]; n++)
                if (!strncmp(environment[n], variable, sizeof variable - 1))
                        text += strlen(environment[n]) + 1;
        return (n + 1) * sizeof *environment + text;
}

/* The entry of LD_PRELOAD without this library, at `text`; its end. */
static char *without_ours(char *text, const char *entry) {
        const char *at = entry + sizeof variable - 1;
        size_t length;

        memcpy(text, variable, sizeof variable);
        text += sizeof variable - 1;
        for (; *at; at += length) {
                at += strspn(at, " :");
                length = strcspn(at, " :");
                if (!length || is_ours(at, length))
                        continue;
                if (text[-1] != '=')
                        *text++ = ':';
                memcpy(text, at, length);
                text += length;
        }
        *text = '\0';
        return text + 1;
}

char *const *sa_target_environment(void *memory, char *const environment[]) {
        char **copy = memory, *text;
        size_t n = 0;

        while (environment[n])
                n++;
        text = (char *)(copy + n + 1);
        for (size_t i = 0; i <= n; i++) {
                copy[i] = environment[i];
                if (copy[i] && !strncmp(copy[i], variable, sizeof variable - 1)) {
                        copy[i] = text;
                        text = without_ours(text, environment[i]);
                }
        }
        return copy;
}
