/* SPDX-License-Identifier: MIT */
/*
 * Overwrites its own segment, like a program with a stray write; then lives on for a minute.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static int overwrite(void) {
        unsigned long from, to, offset; /* the header is at the beginning of the file */
        char line[512];
        FILE *maps;

        maps = fopen("/proc/self/maps", "r");
        if (!maps)
                return 1;
        while (fgets(line, sizeof line, maps))
                if (strstr(line, "rw-s") && strstr(line, "memfd:spanalloc") &&
                    sscanf(line, "%lx-%lx %*s %lx", &from, &to, &offset) == 3 && offset == 0) {
                        memset((void *)(uintptr_t)from, 0xff, 4096);
                        fclose(maps);
                        return 0;
                }
        fclose(maps);
        return 1;
}

int main(void) {
        if (spanalloc_attach(NULL) != 0)
                return 1;
        { SPANALLOC_SCOPE("before"); }
        if (overwrite() != 0)
                return 1;
        sleep(60);
        return 0;
}
