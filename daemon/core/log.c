/*
 * Threads: the reactor's.
 */
#include "daemon/core/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

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

/* The journal is there when our stderr is its stream, and stderr was not turned elsewhere since. */
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
        struct timespec now;

        *ret_unsaid = 0;
        if (!peer)
                return true;
        clock_gettime(CLOCK_MONOTONIC, &now);
        slot = &slots[((uint32_t)peer->uid * 31u + (uint32_t)message) % SLOTS];
        if (!slot->used || now.tv_sec - slot->since >= PERIOD_S) {
                if (slot->used && slot->uid == peer->uid && slot->message == message)
                        *ret_unsaid = slot->unsaid;
                *slot = (struct slot){.used = true, .uid = peer->uid, .message = message, .since = now.tv_sec};
        }
        if (slot->said >= BURST) {
                slot->unsaid++;
                return false;
        }
        slot->said++;
        return true;
}

enum { FIELDS = 15 };

struct fields {
        char text[FIELDS][1200];
        int count;
};

__attribute__((format(printf, 2, 3))) static void add(struct fields *fields, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(fields->text[fields->count++], sizeof *fields->text, format, args);
        va_end(args);
}

static void add_text(struct fields *fields, const char *name, const char *value) {
        if (value && *value)
                add(fields, "%s=%s", name, value);
}

static void add_peer(struct fields *fields, const struct log_peer *peer) {
        if (peer->pid) {
                add(fields, "PEER_PID=%d", (int)peer->pid);
                add(fields, "PEER_UID=%u", (unsigned)peer->uid);
        }
        add_text(fields, "SPANALLOC_COMM", peer->comm);
        add_text(fields, "SPANALLOC_UNIT", peer->unit);
        add_text(fields, "SPANALLOC_REASON", peer->reason);
        add_text(fields, "SPANALLOC_SPANS", peer->spans);
        add_text(fields, "SPANALLOC_RATES", peer->rates);
        if (peer->is_object) { /* as journalctl -u looks for, of what root says */
                add(fields, "OBJECT_PID=%d", (int)peer->pid);
                add_text(fields, "OBJECT_SYSTEMD_UNIT", peer->unit);
        }
        if (peer->count)
                add(fields, "SPANALLOC_COUNT=%llu", (unsigned long long)peer->count);
}

static void say_to_journal(enum log_message message, const struct log_peer *peer, const char *text) {
        struct fields fields = {.count = 0};
        struct iovec vector[FIELDS];

        add(&fields, "MESSAGE=%s", text);
        add(&fields, "MESSAGE_ID=%s", messages[message].id);
        add(&fields, "PRIORITY=%d", messages[message].level);
        add(&fields, "SYSLOG_IDENTIFIER=spanallocd");
        if (peer)
                add_peer(&fields, peer);
        for (int i = 0; i < fields.count; i++)
                vector[i] = (struct iovec){fields.text[i], strlen(fields.text[i])};
        sd_journal_sendv(vector, fields.count);
}

/* Whoever reads our stderr may have stopped: the line is dropped then, and the next one that finds room says how many were.
 * Asked for beforehand, since O_NONBLOCK would be everybody's who has the same file.  What is ready has room for a page in
 * a pipe, and for more than a line in a socket. */
static void say_to_stderr(const char *text) {
        static unsigned long long dropped;
        struct pollfd stderr_room = {.fd = STDERR_FILENO, .events = POLLOUT};
        char line[1400], more[128] = "";
        int n;

        if (poll(&stderr_room, 1, 0) != 1 || !(stderr_room.revents & POLLOUT)) {
                dropped++;
                return;
        }
        if (dropped)
                snprintf(more, sizeof more, "%.32s: the log was full: %llu lines are missing here\n",
                         program_invocation_short_name, dropped);
        n = snprintf(line, sizeof line, "%s%.32s: %s\n", more, program_invocation_short_name, text);
        if (write(STDERR_FILENO, line, (size_t)n) < 0)
                dropped++;
        else
                dropped = 0;
}
_Static_assert(1400 <= PIPE_BUF, "a pipe that is ready takes a line whole");

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
