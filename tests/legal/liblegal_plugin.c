/* SPDX-License-Identifier: MIT */
/* A plugin that binds to itself and to libc first (RTLD_DEEPBIND).  Its blocks go both ways. */
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) char *legal_make(void);
__attribute__((visibility("default"))) void legal_drop(char *text);

char *legal_make(void) {
        return strdup("from the plugin");
}

void legal_drop(char *text) {
        free(text);
}
