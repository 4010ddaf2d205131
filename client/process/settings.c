/* SPDX-License-Identifier: MIT */
/* See settings.h. */
#include "client/process/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/gate/root.h"

#define ANSWER_MS_MAX 60000

static void choose_socket(void) {
        const char *text = secure_getenv("SPANALLOC_SOCKET"), *runtime = secure_getenv("XDG_RUNTIME_DIR");
        struct stat st;
        size_t n = 0;

        if (stat("/run/spanalloc", &st) == 0 && S_ISDIR(st.st_mode))
                sa_root.run_dir_uid = st.st_uid;
        if (text && *text) {
                if (strlen(text) < sizeof sa_root.socket)
                        strcpy(sa_root.socket, text);
                sa_root.socket_is_told = true;
                return;
        }
        if (runtime && *runtime && strlen(runtime) + sizeof "/spanalloc/ingest.sock" <= sizeof sa_root.socket) {
                n = strlen(runtime);
                memcpy(sa_root.socket, runtime, n);
                strcpy(sa_root.socket + n, "/spanalloc/ingest.sock");
                if (access(sa_root.socket, F_OK) == 0)
                        return;
        }
        strcpy(sa_root.socket, "/run/spanalloc/ingest.sock");
}

/* Not strtoul: glibc 2.38 and later give it another name, which older ones and musl
 * lack. */
uint64_t sa_number_of(const char *text) {
        uint64_t number = 0;

        while (*text == ' ' || *text == '\t')
                text++;
        for (; *text >= '0' && *text <= '9' && number <= UINT32_MAX; text++)
                number = number * 10 + (uint64_t)(*text - '0');
        return number;
}

void sa_read_settings(void) {
        const char *text;

        choose_socket();
        text = secure_getenv("SPANALLOC_RING_KIB");
        if (text && *text)
                sa_root.ring_kib = (uint32_t)sa_number_of(text);
        text = secure_getenv("SPANALLOC_ATTACH_MS");
        if (text && *text && sa_number_of(text) <= ANSWER_MS_MAX)
                sa_root.answer_ms = (uint32_t)sa_number_of(text);
        text = secure_getenv("SPANALLOC_ON_FULL");
        sa_root.on_full = text && !strcmp(text, "wait") ? SPANALLOC_WAIT : SPANALLOC_REFUSE;
}

bool sa_is_switched_off(void) {
        const char *text = secure_getenv("SPANALLOC");

        return text && !strcmp(text, "0");
}
