/* SPDX-License-Identifier: MIT */
/*
 * No offset or count in the file is trusted: each read is bounded by a buffer here, and by pread's result.
 */
#include "daemon/host/elf_obstacle.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/files.h"

#define SCRIPT_DEPTH      5 /* as the kernel's */
#define HEADERS_MAX       256
#define SYMBOLS_BYTES_MAX (UINT64_C(8) << 20)
#define STRINGS_BYTES_MAX (UINT64_C(8) << 20)

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_ehdr;
typedef Elf64_Phdr elf_phdr;
typedef Elf64_Shdr elf_shdr;
typedef Elf64_Sym elf_sym;
typedef Elf64_Dyn elf_dyn;
#define OWN_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_ehdr;
typedef Elf32_Phdr elf_phdr;
typedef Elf32_Shdr elf_shdr;
typedef Elf32_Sym elf_sym;
typedef Elf32_Dyn elf_dyn;
#define OWN_CLASS ELFCLASS32
#endif

static void free_ptr(void *pointer) {
        free(*(void **)pointer);
}

/* A copy of `size` bytes of the file, terminated; NULL when they are not there, or are more than `max`. */
static void *read_part(int fd, uint64_t offset, uint64_t size, uint64_t max) {
        char *part;

        if (size == 0 || size > max || offset > INT64_MAX - size)
                return NULL;
        part = malloc(size + 1);
        if (!part)
                return NULL;
        part[size] = 0;
        if (pread(fd, part, size, (off_t)offset) != (ssize_t)size) {
                free(part);
                return NULL;
        }
        return part;
}

/* The machine that this collector was built for, read from its own file. */
static uint16_t own_machine(void) {
        static uint16_t machine;
        elf_ehdr header;
        int fd;

        if (machine)
                return machine;
        fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && read(fd, &header, sizeof header) == sizeof header)
                machine = header.e_machine;
        close_fd(fd);
        return machine;
}

/* ------------------------------------------------------------------------------------------- dynamic sections -- */

/* A section of the file, and the strings that it refers to, each with a zero behind it. */
struct section {
        char *content, *strings;
        uint64_t size, strings_size;
};

static void section_deinit(struct section *section) {
        free(section->content);
        free(section->strings);
}

static void section_read(struct section *ret, int fd, const elf_ehdr *header, uint32_t type) {
        __attribute__((cleanup(free_ptr))) elf_shdr *sections = NULL;
        const elf_shdr *section = NULL, *strings;

        if (header->e_shentsize != sizeof *sections || header->e_shnum > HEADERS_MAX)
                return;
        sections = read_part(fd, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections, UINT32_MAX);
        for (unsigned i = 0; sections && i < header->e_shnum && !section; i++)
                if (sections[i].sh_type == type)
                        section = &sections[i];
        if (!section || section->sh_link >= header->e_shnum)
                return;
        strings = &sections[section->sh_link];
        ret->content = read_part(fd, section->sh_offset, section->sh_size, SYMBOLS_BYTES_MAX);
        ret->strings = read_part(fd, strings->sh_offset, strings->sh_size, STRINGS_BYTES_MAX);
        ret->size = ret->content && ret->strings ? section->sh_size : 0;
        ret->strings_size = strings->sh_size;
}

static bool defines(int fd, const elf_ehdr *header, const char *name) {
        __attribute__((cleanup(section_deinit))) struct section section = {0};
        const elf_sym *symbols;

        section_read(&section, fd, header, SHT_DYNSYM);
        symbols = (const void *)section.content;
        for (uint64_t i = 0; i < section.size / sizeof *symbols; i++)
                if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < section.strings_size &&
                    strcmp(section.strings + symbols[i].st_name, name) == 0)
                        return true;
        return false;
}

bool elfinfo_is_sanitizer(const char *library) {
        static const char *const names[] = {"libasan.so", "libtsan.so", "liblsan.so", "libhwasan.so", "libclang_rt."};
        const char *slash = strrchr(library, '/');

        library = slash ? slash + 1 : library;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (strncmp(library, names[i], strlen(names[i])) == 0)
                        return strncmp(library, "libclang_rt.ubsan", strlen("libclang_rt.ubsan")) != 0;
        return false;
}

static bool needs_sanitizer(int fd, const elf_ehdr *header) {
        __attribute__((cleanup(section_deinit))) struct section section = {0};
        const elf_dyn *entries;

        section_read(&section, fd, header, SHT_DYNAMIC);
        entries = (const void *)section.content;
        for (uint64_t i = 0; i < section.size / sizeof *entries && entries[i].d_tag != DT_NULL; i++)
                if (entries[i].d_tag == DT_NEEDED && entries[i].d_un.d_val < section.strings_size &&
                    elfinfo_is_sanitizer(section.strings + entries[i].d_un.d_val))
                        return true;
        return false;
}

/* ------------------------------------------------------------------------------------------------- obstacles -- */

static const char *interpreter_obstacle(int fd, const elf_ehdr *header) {
        __attribute__((cleanup(free_ptr))) elf_phdr *segments = NULL;
        __attribute__((cleanup(free_ptr))) char *interpreter = NULL;

        if (header->e_phentsize != sizeof *segments || header->e_phnum > HEADERS_MAX)
                return "not a program that this machine can read";
        segments = read_part(fd, header->e_phoff, (uint64_t)header->e_phnum * sizeof *segments, UINT32_MAX);
        if (!segments)
                return "not a program that this machine can read";
        for (unsigned i = 0; i < header->e_phnum && !interpreter; i++)
                if (segments[i].p_type == PT_INTERP)
                        interpreter = read_part(fd, segments[i].p_offset, segments[i].p_filesz, 4096);
        if (!interpreter)
                return "statically linked";
        if (strstr(interpreter, "ld-musl"))
                return "linked against musl, not glibc";
        return "";
}

static const char *elf_obstacle(int fd, const char *start, size_t size) {
        elf_ehdr header;

        if (size < EI_NIDENT || memcmp(start, ELFMAG, SELFMAG) != 0)
                return "neither an ELF program nor a script";
        if ((unsigned char)start[EI_CLASS] != OWN_CLASS)
                return sizeof(void *) == 8 ? "a 32-bit program" : "a 64-bit program";
        if (size < sizeof header)
                return "not a program that this machine can read";
        memcpy(&header, start, sizeof header);
        if (header.e_machine != own_machine())
                return "built for another architecture";
        const char *phrase = interpreter_obstacle(fd, &header);
        if (*phrase)
                return phrase;
        if (needs_sanitizer(fd, &header))
                return ELF_OBSTACLE_SANITIZER;
        return defines(fd, &header, "malloc") ? "has a malloc of its own in the executable" : "";
}

/* Programs that gain rights at exec are started without the caller's preloads. */
static bool gains_rights(int fd, const struct stat *st) {
        if ((st->st_mode & S_ISUID) && st->st_uid != geteuid())
                return true;
        if ((st->st_mode & S_ISUID) && geteuid() != 0)
                return true;
        if ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
                return true;
        return fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* "#!interpreter argument": the interpreter's path, in place.  NULL: not a script. */
static char *script_interpreter(char *start) {
        char *path;

        if (start[0] != '#' || start[1] != '!')
                return NULL;
        path = start + 2 + strspn(start + 2, " \t");
        path[strcspn(path, " \t\n")] = 0;
        return *path ? path : NULL;
}

static int inspect(const char *path, int depth, const char **ret) {
        __attribute__((cleanup(close_fd_at))) int fd = -1;
        char start[512] = "", *interpreter;
        struct stat st;
        ssize_t n;

        /* Without O_NONBLOCK a fifo of that name would block. */
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -ENOEXEC;
        n = pread(fd, start, sizeof start - 1, 0);
        if (n < 0)
                return -errno;
        interpreter = script_interpreter(start);
        if (interpreter && depth < SCRIPT_DEPTH)
                return inspect(interpreter, depth + 1, ret);
        if (gains_rights(fd, &st))
                *ret = "setuid, setgid or with file capabilities";
        else
                *ret = elf_obstacle(fd, start, (size_t)n);
        return 0;
}

int elfinfo_obstacle(const char *path, const char **ret_phrase) {
        return inspect(path, 0, ret_phrase);
}

int elfinfo_defines(const char *path, const char *name) {
        __attribute__((cleanup(close_fd_at))) int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        elf_ehdr header;
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = pread(fd, &header, sizeof header, 0);
        if (n < 0)
                return -errno;
        if (n != sizeof header || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != OWN_CLASS)
                return -ENOEXEC;
        return defines(fd, &header, name);
}
