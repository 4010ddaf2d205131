/* SPDX-License-Identifier: MIT */
/*
 * Threads: the reactor's.
 */
#include "daemon/host/log.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define PERIOD_S 30
#define BURST    10 /* lines of one kind, for one uid, in a period */
#define SLOTS    128u

struct slot {
        bool used;
        uid_t uid;
        enum log_message message;
        time_t since;
        unsigned said, unsaid;
};

static const struct {
        const char *id;
        enum log_level level;
} messages[LOG_MESSAGE_COUNT] = {
#define X(name, lvl, uuid) [LOG_##name] = {uuid, LOG_LEVEL_##lvl},
        LOG_MESSAGES(X)
#undef X
};

static struct slot slots[SLOTS];
static enum log_level max_level = LOG_LEVEL_WARNING;
static bool to_journal;

/* True if stderr is the journal's stream and was not redirected since. */
static bool stderr_is_journal(void) {
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
               st.st_dev == device && st.st_ino == inode;
}

void log_open(enum log_level max) {
        max_level = max;
        to_journal = stderr_is_journal();
}

/* Whether this line may be said.  Two kinds or uids that share a slot drive each other out: then more is said, and
 * still never more than SLOTS * BURST lines in a period by honest clocks. */
static bool is_allowed(enum log_message message, const struct log_peer *peer, unsigned *ret_unsaid) {
        struct slot *slot;
        time_t now_s;

        *ret_unsaid = 0;
        if (!peer)
                return true;
        now_s = (time_t)(clock_monotonic_ns() / NS_PER_S);
        slot = &slots[((uint32_t)peer->uid * 31u + (uint32_t)message) % SLOTS];
        if (!slot->used || now_s - slot->since >= PERIOD_S) {
                if (slot->used && slot->uid == peer->uid && slot->message == message)
                        *ret_unsaid = slot->unsaid;
                *slot = (struct slot){.used = true, .uid = peer->uid, .message = message, .since = now_s};
        }
        if (slot->said >= BURST) {
                slot->unsaid++;
                return false;
        }
        slot->said++;
        return true;
}

/* ------------------------------------------------------------------------------------------------- the journal -- */

/* What sd_journal_sendv(3) would send, but that one waits where journald does not read. */
struct entry {
        char bytes[20480];
        size_t size;
        bool is_cut; /* there was no room for a field */
};

static void put(struct entry *entry, const void *bytes, size_t size) {
        if (size > sizeof entry->bytes - entry->size)
                entry->is_cut = true;
        else
                memcpy(entry->bytes + entry->size, bytes, size);
        entry->size += entry->is_cut ? 0 : size;
}

/* Appends NAME=VALUE.  The journal's protocol wants the length before a value of several lines. */
static void put_field(struct entry *entry, const char *text) {
        const char *value = strchr(text, '=') + 1;
        const size_t name = (size_t)(value - 1 - text), size = strlen(value), before = entry->size;
        const uint64_t length = htole64(size);

        if (memchr(value, '\n', size)) {
                put(entry, text, name);
                put(entry, "\n", 1);
                put(entry, &length, sizeof length);
                put(entry, value, size);
        } else {
                put(entry, text, name + 1 + size);
        }
        put(entry, "\n", 1);
        if (entry->is_cut)
                entry->size = before;
        entry->is_cut = false;
}

__attribute__((format(printf, 2, 3))) static void add(struct entry *entry, const char *format, ...) {
        char text[1200];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        put_field(entry, text);
}

static void add_text(struct entry *entry, const char *name, const char *value) {
        if (value && *value)
                add(entry, "%s=%s", name, value);
}

static void add_peer(struct entry *entry, const struct log_peer *peer) {
        if (peer->pid) {
                add(entry, "PEER_PID=%d", (int)peer->pid);
                add(entry, "PEER_UID=%u", (unsigned)peer->uid);
        }
        add_text(entry, "SPANALLOC_COMM", peer->comm);
        add_text(entry, "SPANALLOC_UNIT", peer->unit);
        add_text(entry, "SPANALLOC_REASON", peer->reason);
        add_text(entry, "SPANALLOC_SPANS", peer->spans);
        add_text(entry, "SPANALLOC_RATES", peer->rates);
        if (peer->is_object) { /* as journalctl -u looks for, of what root says */
                add(entry, "OBJECT_PID=%d", (int)peer->pid);
                add_text(entry, "OBJECT_SYSTEMD_UNIT", peer->unit);
        }
        if (peer->count)
                add(entry, "SPANALLOC_COUNT=%llu", (unsigned long long)peer->count);
}

static bool send_to_journal(enum log_message message, const struct log_peer *peer, const char *text) {
        static const struct sockaddr_un journal = {AF_UNIX, "/run/systemd/journal/socket"};
        static int fd = -1;
        struct entry entry;

        entry.size = 0;
        entry.is_cut = false;
        add(&entry, "MESSAGE=%s", text);
        add(&entry, "MESSAGE_ID=%s", messages[message].id);
        add(&entry, "PRIORITY=%d", messages[message].level);
        add(&entry, "SYSLOG_IDENTIFIER=spanallocd");
        if (peer)
                add_peer(&entry, peer);
        if (fd < 0)
                fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        /* By its name each time: journald may be another one by now. */
        return fd >= 0 && sendto(fd, entry.bytes, entry.size, MSG_DONTWAIT | MSG_NOSIGNAL,
                                 (const struct sockaddr *)&journal, sizeof journal) >= 0;
}

/* The reader of the log may have stopped.  A line that finds no room is dropped, and the next line that finds room
 * reports the number. */
static unsigned long long missing; /* since the last one */
static uint64_t all_missing;       /* ever */

static void say_to_journal(enum log_message message, const struct log_peer *peer, const char *text) {
        struct log_peer gap = {.count = missing};
        char more[96];

        snprintf(more, sizeof more, "the log was full: %llu lines are missing here", missing);
        if (missing && !send_to_journal(LOG_MISSING, &gap, more))
                goto full;
        missing = 0;
        if (send_to_journal(message, peer, text))
                return;
full:
        missing++;
        all_missing++;
}

/* Polls before it writes, since O_NONBLOCK would hold for every process that shares the open file.  A ready pipe has
 * room for a page, a ready socket for more than a line. */
static void say_to_stderr(const char *text) {
        struct pollfd stderr_room = {.fd = STDERR_FILENO, .events = POLLOUT};
        char line[1400], more[128] = "";
        int n;

        if (missing)
                snprintf(more, sizeof more, "%.32s: the log was full: %llu lines are missing here\n",
                         program_invocation_short_name, missing);
        n = snprintf(line, sizeof line, "%s%.32s: %s\n", more, program_invocation_short_name, text);
        if (poll(&stderr_room, 1, 0) == 1 && (stderr_room.revents & POLLOUT) &&
            write(STDERR_FILENO, line, (size_t)n) >= 0) {
                missing = 0;
        } else {
                missing++;
                all_missing++;
        }
}
_Static_assert(1400 <= PIPE_BUF, "a pipe that is ready takes a line whole");

uint64_t log_missing(void) {
        return all_missing;
}

void log_event(enum log_message message, const struct log_peer *peer, const char *format, ...) {
        char text[1024], more[64] = "";
        unsigned unsaid;
        va_list args;

        if (messages[message].level > max_level || !is_allowed(message, peer, &unsaid))
                return;
        va_start(args, format);
        vsnprintf(text, sizeof text - sizeof more, format, args);
        va_end(args);
        if (unsaid) {
                snprintf(more, sizeof more, " (and %u more like this)", unsaid);
                strcat(text, more);
        }
        if (to_journal)
                say_to_journal(message, peer, text);
        else
                say_to_stderr(text);
}
