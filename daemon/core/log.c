/*
 * Threads: the reactor's.
 */
#include "daemon/core/log.h"

#include <errno.h>
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

static void say_to_journal(enum log_message message, const struct log_peer *peer, const char *text) {
        char buf[6][1200];
        struct iovec fields[6];
        int n = 0;

        snprintf(buf[n++], sizeof *buf, "MESSAGE=%s", text);
        snprintf(buf[n++], sizeof *buf, "MESSAGE_ID=%s", messages[message].id);
        snprintf(buf[n++], sizeof *buf, "PRIORITY=%d", messages[message].level);
        snprintf(buf[n++], sizeof *buf, "SYSLOG_IDENTIFIER=spanallocd");
        if (peer) {
                snprintf(buf[n++], sizeof *buf, "PEER_PID=%d", (int)peer->pid);
                snprintf(buf[n++], sizeof *buf, "PEER_UID=%u", (unsigned)peer->uid);
        }
        for (int i = 0; i < n; i++)
                fields[i] = (struct iovec){buf[i], strlen(buf[i])};
        sd_journal_sendv(fields, n);
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
                fprintf(stderr, "%s: %s\n", program_invocation_short_name, text);
}
