/* SPDX-License-Identifier: MIT */
/*
 * Why a program cannot be counted: files of each kind, and files that lie about themselves.
 *
 * Labels: valgrind
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/host/elf_obstacle.h"

static char path[] = "/tmp/test_elfinfo_XXXXXX";

/* An ELF file of our own machine with one program header, which the test then changes. */
struct file {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        char interpreter[64];
};

static struct file well_formed(const char *interpreter) {
        struct file file = {0};
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        assert_int_equal(read(fd, &file.header, sizeof file.header), sizeof file.header);
        close(fd);
        file.header.e_phoff = offsetof(struct file, segment);
        file.header.e_phnum = 1;
        file.header.e_shnum = 0;
        file.segment.p_type = interpreter ? PT_INTERP : PT_LOAD;
        file.segment.p_offset = offsetof(struct file, interpreter);
        file.segment.p_filesz = interpreter ? strlen(interpreter) + 1 : 0;
        if (interpreter)
                strcpy(file.interpreter, interpreter);
        return file;
}

static const char *look_at(const void *bytes, size_t size, mode_t mode) {
        const char *phrase = NULL;
        int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, bytes, size), size);
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
        assert_int_equal(elfinfo_obstacle(path, &phrase), 0);
        assert_non_null(phrase);
        return phrase;
}

static void test_kinds(void **state) {
        struct file file;

        file = well_formed("/lib64/ld-linux-x86-64.so.2");
        assert_string_equal(look_at(&file, sizeof file, 0755), "");
        file = well_formed("/lib/ld-musl-x86_64.so.1");
        assert_non_null(strstr(look_at(&file, sizeof file, 0755), "musl"));
        file = well_formed(NULL);
        assert_string_equal(look_at(&file, sizeof file, 0755), "statically linked");
        file = well_formed("/lib64/ld-linux-x86-64.so.2");
        assert_non_null(strstr(look_at(&file, sizeof file, 02755), "setgid"));
        file.header.e_machine = EM_S390;
        assert_non_null(strstr(look_at(&file, sizeof file, 0755), "architecture"));
        file.header.e_ident[EI_CLASS] = file.header.e_ident[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64;
        assert_non_null(strstr(look_at(&file, sizeof file, 0755), "-bit"));
        assert_non_null(strstr(look_at("hello", 5, 0755), "neither"));
        assert_non_null(strstr(look_at("", 0, 0755), "neither"));
}

static void test_own_malloc(void **state) {
        const char *phrase;

        /* Where nothing defines it, nothing is said. */
        assert_int_equal(elfinfo_obstacle("/proc/self/exe", &phrase), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        assert_string_equal(phrase, "");
#endif
}

static void test_scripts(void **state) {
        assert_string_equal(look_at("#!/bin/sh\nexit\n", 15, 0755), "");
        assert_string_equal(look_at("#! \t/usr/bin/env sh -x\n", 23, 0755), "");
}

static void test_script_of_itself(void **state) {
        char text[64];

        snprintf(text, sizeof text, "#!%s\n", path);
        assert_non_null(strstr(look_at(text, strlen(text), 0755), "neither")); /* and it ends */
}

/* What a program needs, by the library's name alone; what a library defines. */
static void test_sanitizers(void **state) {
        static const struct {
                const char *needed, *phrase;
        } cases[] = {
                {"libasan.so.8", ELF_OBSTACLE_SANITIZER},
                {"libtsan.so.2", ELF_OBSTACLE_SANITIZER},
                {"liblsan.so.0", ELF_OBSTACLE_SANITIZER},
                {"libclang_rt.asan-x86_64.so", ELF_OBSTACLE_SANITIZER},
                {"libclang_rt.ubsan_standalone-x86_64.so", ""},
                {"libubsan.so.1", ""},
                {"libmyasan.so.1", ""},
        };
        char directory[] = "/tmp/test_elfinfo_XXXXXX", command[512], library[64], program[64];
        const char *phrase;

        assert_non_null(mkdtemp(directory));
        snprintf(library, sizeof library, "%s/library.so", directory);
        snprintf(program, sizeof program, "%s/program", directory);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                snprintf(command, sizeof command,
                         "cd %s && printf 'int thing;' | cc -shared -fPIC -nostdlib -Wl,-soname,%s -x c -o library.so "
                         "- && "
                         "printf 'extern int thing; int main(void) { return thing; }' | cc -x c -o program - -x none "
                         "library.so",
                         directory, cases[i].needed);
                assert_int_equal(system(command), 0);
                assert_int_equal(elfinfo_obstacle(program, &phrase), 0);
                assert_string_equal(phrase, cases[i].phrase);
        }
        assert_int_equal(elfinfo_defines(library, "thing"), 1);
        assert_int_equal(elfinfo_defines(library, "malloc"), 0);
        assert_int_equal(elfinfo_defines(directory, "thing"), -EISDIR);
        assert_int_equal(elfinfo_defines("/nonexistent/library", "thing"), -ENOENT);
        look_at("hello", 5, 0644);
        assert_int_equal(elfinfo_defines(path, "thing"), -ENOEXEC);
        unlink(library);
        unlink(program);
        rmdir(directory);
}

static void test_missing(void **state) {
        const char *phrase = "untouched";

        assert_int_equal(elfinfo_obstacle("/nonexistent/program", &phrase), -ENOENT);
        assert_int_equal(elfinfo_obstacle("/tmp", &phrase), -ENOEXEC);
        assert_string_equal(phrase, "untouched");
}

/* Offsets and counts that point anywhere: no crash, and some phrase. */
static void test_lies(void **state) {
        static const uint64_t lies[] = {0, 1, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 4096, 63};
        const size_t count = sizeof lies / sizeof *lies;

        for (size_t i = 0; i < count; i++)
                for (size_t j = 0; j < count; j++) {
                        struct file file = well_formed("/lib64/ld-linux-x86-64.so.2");

                        file.segment.p_offset = lies[i];
                        file.segment.p_filesz = lies[j];
                        look_at(&file, sizeof file, 0755);
                        file = well_formed("/lib64/ld-linux-x86-64.so.2");
                        file.header.e_phoff = lies[i];
                        file.header.e_phnum = (uint16_t)lies[j];
                        look_at(&file, sizeof file, 0755);
                        file = well_formed("/lib64/ld-linux-x86-64.so.2");
                        file.header.e_shoff = lies[i];
                        file.header.e_shnum = (uint16_t)lies[j];
                        look_at(&file, sizeof file, 0755);
                }
        for (size_t size = 0; size < sizeof(struct file); size++) {
                struct file file = well_formed("/lib64/ld-linux-x86-64.so.2");

                look_at(&file, size, 0755);
        }
}

/* Section headers whose symbols and names are whatever the test says. */
static void test_lying_symbols(void **state) {
        struct {
                struct file file;
                Elf64_Shdr sections[2];
                Elf64_Sym symbols[2];
                char names[8];
        } all = {.file = well_formed("/lib64/ld-linux-x86-64.so.2")};

        all.file.header.e_shoff = (char *)all.sections - (char *)&all;
        all.file.header.e_shnum = 2;
        all.file.header.e_shentsize = sizeof(Elf64_Shdr);
        all.sections[0] = (Elf64_Shdr){.sh_type = SHT_DYNSYM,
                                       .sh_link = 1,
                                       .sh_offset = (uint64_t)((char *)all.symbols - (char *)&all),
                                       .sh_size = sizeof all.symbols};
        all.sections[1] = (Elf64_Shdr){.sh_offset = (uint64_t)(all.names - (char *)&all), .sh_size = sizeof all.names};
        all.symbols[1] = (Elf64_Sym){.st_shndx = 1, .st_name = 1};
        memcpy(all.names, "\0malloc", 8);
        assert_non_null(strstr(look_at(&all, sizeof all, 0755), "malloc of its own"));
        all.symbols[1].st_shndx = SHN_UNDEF;
        assert_string_equal(look_at(&all, sizeof all, 0755), "");
        all.symbols[1] = (Elf64_Sym){.st_shndx = 1, .st_name = 0xfffffff0};
        assert_string_equal(look_at(&all, sizeof all, 0755), "");
        all.sections[0].sh_link = 77;
        assert_string_equal(look_at(&all, sizeof all, 0755), "");
        all.sections[0].sh_link = 1;
        all.sections[1].sh_size = UINT64_MAX;
        assert_string_equal(look_at(&all, sizeof all, 0755), "");
}

static int make_path(void **state) {
        int fd = mkstemp(path);

        if (fd >= 0)
                close(fd);
        return fd < 0;
}

static int remove_path(void **state) {
        return unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),         cmocka_unit_test(test_own_malloc),
                cmocka_unit_test(test_scripts),       cmocka_unit_test(test_script_of_itself),
                cmocka_unit_test(test_missing),       cmocka_unit_test(test_lies),
                cmocka_unit_test(test_lying_symbols), cmocka_unit_test(test_sanitizers),
        };

        return cmocka_run_group_tests_name("elfinfo", tests, make_path, remove_path);
}
