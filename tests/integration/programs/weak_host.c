/* SPDX-License-Identifier: MIT */
/*
 * weak_host LIBRARY TIMES [HOLD]: loads the library that uses the weak mode, and lets it work.  Prints "attached N".
 * With HOLD it then waits for its standard input to end, so that it can be looked at.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
        void *library = argc >= 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
        int (*work)(int);

        if (!library) {
                fprintf(stderr, "weak_host: %s\n", argc >= 3 ? dlerror() : "usage: weak_host LIBRARY TIMES [HOLD]");
                return 2;
        }
        *(void **)&work = dlsym(library, "weakspan_work");
        if (!work)
                return 3;
        printf("attached %d\n", work(atoi(argv[2])));
        fflush(stdout);
        if (argc > 3)
                while (getchar() != EOF)
                        ;
        return 0;
}
