/* SPDX-License-Identifier: MIT */
/*
 * Two spans by a ledger: OUTER times `outer`, each with one block of 1000 bytes of its own and INNER times `inner` with
 * one each.  Nothing is freed.
 */
#include <stdlib.h>

#include <spanalloc/spanalloc.h>

static void allocate(void) {
        char *volatile block = malloc(1000);

        if (block)
                *block = 1;
}

int main(int argc, char **argv) {
        int outer = argc > 2 ? atoi(argv[1]) : 0, inner = argc > 2 ? atoi(argv[2]) : 0;

        for (int i = 0; i < outer; i++) {
                SPANALLOC_SCOPE("outer");
                allocate();
                for (int k = 0; k < inner; k++) {
                        SPANALLOC_SCOPE("inner");
                        allocate();
                }
        }
        return 0;
}
