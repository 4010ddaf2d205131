/* SPDX-License-Identifier: MIT */
/*
 * static_host LIBRARY TIMES: has a copy of libspanalloc of its own, and loads a library whose weak calls find another
 * one when that is preloaded.  Both write spans; they must be one process.  Waits for its standard input to end.
 */
#include <dlfcn.h>
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
        void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
        int (*work)(int), times = argc == 3 ? atoi(argv[2]) : 0;

        if (!library)
                return 2;
        *(void **)&work = dlsym(library, "weakspan_work");
        if (!work)
                return 3;
        for (int i = 0; i < times; i++) {
                SPANALLOC_SCOPE("static-scope");
                void *volatile memory = malloc(500);

                free(memory);
                work(1);
        }
        puts("done");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}
