/* SPDX-License-Identifier: MIT */
/*
 * The messages between a client and the collector over ingest.sock (SOCK_SEQPACKET): one datagram each way.
 *
 *     client:     struct shm_hello                                   (of any kind)
 *     collector:  struct shm_welcome, with two descriptors           (answer to SHM_HELLO_ATTACH only):
 *                     [0] the sealed memfd of the segment, to be mapped read-write
 *                     [1] the beacon, to be mapped read-only
 *                 or, where it has taken over the segment that the client has, with SHM_WELCOME_KEEP and the beacon only
 *
 * Then the client closes all three.  Who the client is, the collector learns from SO_PEERCRED, never from a message.
 * Fixed layout, native byte order: both ends run on one machine.  Unknown versions are answered with EPROTO.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHM_HELLO_MAGIC   UINT64_C(0x314f4c4c45484153)
#define SHM_WELCOME_MAGIC UINT64_C(0x31454d4f434c4557)

enum shm_hello_kind {
        SHM_HELLO_ATTACH = 1,   /* give me a segment */
        SHM_HELLO_EXEC = 2,     /* I, or my child `pid`, am about to run `path`; no answer.  Only with
                                 SHM_OPTION_EAGER */
        SHM_HELLO_UNMAPPED = 3, /* I could not map the segment that you gave me, for `error`; no answer */
};

enum shm_hello_flag {
        SHM_HELLO_CHILD = 1 << 0,     /* ATTACH: forked from an attached process, and not exec'ed since */
        SHM_HELLO_SCRUBBED = 1 << 1,  /* EXEC: the new environment does not preload the counters */
        SHM_HELLO_INHERITED = 1 << 2, /* ATTACH: `inherited` is known */
        SHM_HELLO_ESTIMATED =
                1 << 3, /* ATTACH: nearly: its parent, or a parent of that, had other threads at the fork */
};

struct shm_hello {
        uint64_t magic;
        uint32_t version;  /* SHM_VERSION */
        uint32_t kind;     /* enum shm_hello_kind */
        uint32_t flags;    /* enum shm_hello_flag */
        uint32_t ring_kib; /* ATTACH: wanted for each thread, 0: the collector's default */
        uint32_t counting; /* ATTACH: enum shm_counting */
        union {
                int32_t pid;      /* EXEC: which process, in the sender's pid namespace; 0: the sender */
                uint32_t filters; /* ATTACH: so many seccomp filters let its system calls pass */
                int32_t error;    /* UNMAPPED: a positive errno */
        };
        union {
                char path[256];             /* EXEC: of the executable, zero terminated, its beginning */
                struct {                    /* ATTACH.  Net bytes are allocated less freed, modulo 2^64 */
                        uint64_t former;    /* number of the segment that it has from an earlier collector; 0: none */
                        uint64_t inherited; /* net bytes that it had when it was forked */
                        uint64_t left;      /* net bytes that ended threads counted in earlier segments */
                } own;
        };
};

enum shm_welcome_flag {
        SHM_WELCOME_KEEP = 1 << 0, /* the segment is the one that it has */
};

struct shm_welcome {
        uint64_t magic;
        uint32_t version;
        int32_t error;       /* 0, or a positive errno: EPROTO version, EACCES refused, EDQUOT a limit, ENOMEM */
        uint32_t generation; /* of the beacon, for which this segment is good */
        uint32_t flags;      /* enum shm_welcome_flag */
        uint64_t segment_size;
};

_Static_assert(sizeof(struct shm_hello) == 288, "");
_Static_assert(sizeof(struct shm_welcome) == 32, "");
_Static_assert(offsetof(struct shm_hello, version) == 8, "");
_Static_assert(offsetof(struct shm_hello, kind) == 12, "");
_Static_assert(offsetof(struct shm_hello, flags) == 16, "");
_Static_assert(offsetof(struct shm_hello, ring_kib) == 20, "");
_Static_assert(offsetof(struct shm_hello, counting) == 24, "");
_Static_assert(offsetof(struct shm_hello, pid) == 28, "");
_Static_assert(offsetof(struct shm_hello, filters) == 28, "");
_Static_assert(offsetof(struct shm_hello, path) == 32, "");
_Static_assert(offsetof(struct shm_hello, own.former) == 32, "");
_Static_assert(offsetof(struct shm_hello, own.inherited) == 40, "");
_Static_assert(offsetof(struct shm_hello, own.left) == 48, "");
_Static_assert(offsetof(struct shm_welcome, version) == 8, "");
_Static_assert(offsetof(struct shm_welcome, error) == 12, "");
_Static_assert(offsetof(struct shm_welcome, generation) == 16, "");
_Static_assert(offsetof(struct shm_welcome, segment_size) == 24, "");
