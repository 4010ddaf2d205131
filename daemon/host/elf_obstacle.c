/* SPDX-License-Identifier: MIT */
/*
 * Every offset and count in the file is a claim: each read is bounded by our own buffers, and by pread's answer.
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
#define OWN_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_ehdr;
typedef Elf32_Phdr elf_phdr;
typedef Elf32_Shdr elf_shdr;
typedef Elf32_Sym elf_sym;
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

static bool defines_malloc(const elf_sym *symbols, uint64_t count, const char *names, uint64_t names_size) {
        for (uint64_t i = 0; i < count; i++)
                if (symbols[i].st_shndx != SHN_UNDEF && symbols[i].st_name < names_size &&
                    strcmp(names + symbols[i].st_name, "malloc") == 0)
                        return true;
        return false;
}

static bool has_own_malloc(int fd, const elf_ehdr *header) {
        __attribute__((cleanup(free_ptr))) elf_shdr *sections = NULL;
        __attribute__((cleanup(free_ptr))) elf_sym *symbols = NULL;
        __attribute__((cleanup(free_ptr))) char *names = NULL;
        const elf_shdr *table = NULL, *strings;

        if (header->e_shentsize != sizeof *sections || header->e_shnum > HEADERS_MAX)
                return false;
        sections = read_part(fd, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections, UINT32_MAX);
        for (unsigned i = 0; sections && i < header->e_shnum && !table; i++)
                if (sections[i].sh_type == SHT_DYNSYM)
                        table = &sections[i];
        if (!table || table->sh_link >= header->e_shnum)
                return false;
        strings = &sections[table->sh_link];
        symbols = read_part(fd, table->sh_offset, table->sh_size, SYMBOLS_BYTES_MAX);
        names = read_part(fd, strings->sh_offset, strings->sh_size, STRINGS_BYTES_MAX);
        if (!symbols || !names)
                return false;
        return defines_malloc(symbols, table->sh_size / sizeof *symbols, names, strings->sh_size);
}

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
        return has_own_malloc(fd, &header) ? "has a malloc of its own in the executable" : "";
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

        /* Without O_NONBLOCK a fifo of that name would stop us. */
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
