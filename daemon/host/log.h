/* SPDX-License-Identifier: MIT */
/*
 * The collector's log: one line for each decision, to the journal with fields where there is one, else to stderr.
 *
 * What lives here: the messages with their ids and priorities, the limit on lines for one peer, and the only writer to
 * the journal.  What does not: the decisions.  systemd/ holds the catalog that explains the ids.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Syslog's numbers. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* X(name, level, message id).  An id never changes its meaning. */
#define LOG_MESSAGES(X)                                                                                                \
        X(STARTED, NOTICE, "15cc93f640b54b389a9e82b8904bcb27")                                                         \
        X(STOPPED, NOTICE, "df378f5e6d1949fa86434e49dae99b78")                                                         \
        X(FAILED, ERROR, "318ac3c80aba4cb5bcc6e058d550c022")                                                           \
        X(CONFIG, ERROR, "3a0d3741a2f94c31b8e8a001a29f91c3")                                                           \
        X(RELOADED, NOTICE, "17841f5376794b3290925df8365691f1")                                                        \
        X(BACKEND, INFO, "8c0b7f8e67704b89baa8b2fb78cffeec")                                                           \
        X(ATTACHED, INFO, "c7ed5dabc9dc497ba5944035fbe57bc6")                                                          \
        X(ENDED, DEBUG, "8ea4585b9c8e4343900b171c33e5c148")                                                            \
        X(KILLED, NOTICE, "0d8a4c1be6a94f0c8e5f7b3a6c2d9e10")                                                          \
        X(REJECTED, WARNING, "706e876fed834a94a1025523569d67f8")                                                       \
        X(EXPELLED, WARNING, "096620f92bd54ccb802d09df13b99d34")                                                       \
        X(TAKEN_OVER, NOTICE, "f529c2d8a9bc4947a61bbdeed449afa0")                                                      \
        X(HANDOVER, WARNING, "4f1c2b7a6d5e4b0f9a8c7d6e5f403122")                                                       \
        X(STATE, WARNING, "5c1d7e0b2f9a4c6d8b3e4f5a60718293")                                                          \
        X(UNKEPT, WARNING, "b3a9d1f04c8e4d6f8f2b5c7e9d013a46")                                                         \
        X(LIMIT, WARNING, "2b7a64b2c8e046b1b0ddaf90a0991c76")                                                          \
        X(DROPPED, WARNING, "7990c7583e4f43cdaf4e9ff9bfc68e4e")                                                        \
        X(COVERAGE, WARNING, "d85ddcda92a04047b93d3405a7907d6e")                                                       \
        X(DESCRIPTORS, ERROR, "e7ac8102d0a5430192fe7b93cd0cb7f9")                                                      \
        X(MISSING, WARNING, "6b0d3f9e7c1a4b58a2d4e8f60c7b9135")                                                        \
        X(QUERY_REFUSED, WARNING, "98998a5f6d1f4ed4b99b29437561e400")                                                  \
        X(QUERY_DROPPED, WARNING, "7da27f4d847947559201dfaee0e7223b")

enum log_message {
#define X(name, level, id) LOG_##name,
        LOG_MESSAGES(X)
#undef X
                LOG_MESSAGE_COUNT,
};

/* The process that the line concerns, whose rate it counts to, and further fields of the journal, where known:
 * PEER_PID, PEER_UID, SPANALLOC_COMM, SPANALLOC_UNIT, SPANALLOC_REASON, SPANALLOC_COUNT, and those named below.  The
 * catalog uses them. */
struct log_peer {
        pid_t pid; /* 0: no process, and no fields PEER_… */
        uid_t uid;
        const char *comm, *unit, *reason; /* borrowed; NULL or "": no field */
        uint64_t count;                   /* 0: no field */
        const char *spans, *rates;        /* SPANALLOC_SPANS, SPANALLOC_RATES */
        bool is_object;                   /* the line is about the process: OBJECT_PID, OBJECT_SYSTEMD_UNIT */
};

/* Until this is called: warnings and worse, to stderr.  May be called again. */
void log_open(enum log_level max);
/* `peer` may be NULL.  One sentence, no newline.  Never waits: a line without room is dropped. */
void log_event(enum log_message message, const struct log_peer *peer, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The number of dropped lines since the start. */
uint64_t log_missing(void);
