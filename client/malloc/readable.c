/* SPDX-License-Identifier: MIT */
/* See readable.h. */
#include "client/malloc/readable.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "client/gate/quiet_process.h"

#define PAGE UINT64_C(4096) /* no page is smaller */
#define WORD sizeof(uint64_t)

/* The call reads a word before it finds that there is no such way to change the mask.  At 0 it reads none. */
static bool can_read_word(uintptr_t at) {
        return at && sa_call(SYS_rt_sigprocmask, -1, (long)at, 0, WORD, 0, 0) != -EFAULT;
}

/* The page that has `at`; *known is the last one that could be read. */
static bool can_read(uintptr_t at, uintptr_t *known) {
        uintptr_t page = at & ~(uintptr_t)(PAGE - 1), last_word = page + PAGE - WORD;

        if (page == *known)
                return true;
        if (!can_read_word(at < last_word ? at : last_word))
                return false;
        *known = page;
        return true;
}

static bool can_read_on(const char *text, uintptr_t *known) {
        for (;;) {
                size_t rest = PAGE - (uintptr_t)text % PAGE;

                if (!can_read((uintptr_t)text, known))
                        return false;
                if (strnlen(text, rest) < rest)
                        return true;
                text += rest;
        }
}

bool sa_can_read_text(const char *text) {
        uintptr_t known = UINTPTR_MAX;

        return can_read_on(text, &known);
}

bool sa_can_read_list(char *const list[]) {
        uintptr_t known = UINTPTR_MAX, known_text = UINTPTR_MAX;

        for (char *const *at = list; at; at++) {
                if (!can_read((uintptr_t)at, &known) || !can_read((uintptr_t)at + sizeof *at - 1, &known))
                        return false;
                if (!*at)
                        break;
                if (!can_read_on(*at, &known_text))
                        return false;
        }
        return true;
}
