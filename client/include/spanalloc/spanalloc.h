/* SPDX-License-Identifier: MIT */
/*
 * spanalloc: which unit of work allocates heap, live, in production.
 *
 *     #include <spanalloc/spanalloc.h>
 *
 *     void handle(struct request *r) {
 *             SPANALLOC_SCOPE("handle"); ...
 *     }
 *
 * A *site* is a place in the source.  A *span* is one unit of work that began there.  A *cycle* is the time from one
 * enter of a span to its exit, on one thread.  Each call may be made from any thread and, unless it says otherwise,
 * from a signal handler; in a handler that interrupted another call of this header it does nothing.  No call allocates,
 * locks, prints, changes errno or ends the program.  Without a running collector each is a load and a branch, inlined.
 *
 * Before the include:
 *     #define SPANALLOC_WEAK      no link dependency: calls do nothing unless the library is in the process
 *     #define SPANALLOC_DISABLE   everything compiles to nothing
 */
#ifndef SPANALLOC_H
#define SPANALLOC_H
#include "detail/stats.h"
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* A thread's allocation counters.  They only grow.  Bytes are usable sizes, unless spanalloc_set_snapshot() was
 * called. */
struct spanalloc_counters {
        uint64_t alloc_count, alloc_bytes, dealloc_count, dealloc_bytes;
};

/* One place in the source.  Static: define it with SPANALLOC_SITE and pass its address.  The fields are the
 * library's. */
typedef struct spanalloc_site {
        uint32_t abi, line;
        const char *name, *file;
        uint64_t cache, reserved;
} spanalloc_site;

/* The handle of a span, passed by value; nothing has to be freed.  Valid until spanalloc_close().  A handle of zeros is
 * the null span: a call with it does nothing. */
typedef struct spanalloc_span {
        uint64_t instance;
        uint32_t path, reserved;
} spanalloc_span;

#define SPANALLOC_ABI 1u
#define SPANALLOC_SPAN_INIT                                                                                            \
        { 0, 0, 0 }
#ifdef __cplusplus
#define SPANALLOC_NONE (spanalloc_span())
#else
#define SPANALLOC_NONE ((spanalloc_span)SPANALLOC_SPAN_INIT)
#endif

/* Writes the calling thread's counters.  The library calls it inside enter and exit: it must not allocate, lock, or
 * call spanalloc.  `out` is valid during the call. */
typedef void (*spanalloc_snapshot_fn)(struct spanalloc_counters *out);

enum spanalloc_on_full {
        SPANALLOC_ON_FULL_DEFAULT = 0, /* as SPANALLOC_ON_FULL in the environment says, else refuse */
        SPANALLOC_REFUSE = 1,          /* a full ring: the enter is refused, refused_enters counts it */
        SPANALLOC_WAIT = 2             /* a full ring makes the thread wait, at most 60 seconds; for tests */
};

/* Zero a field for its default: the environment's, then the library's.  `size` is sizeof of the struct. */
struct spanalloc_options {
        size_t size;
        const char *socket; /* path of the collector's ingest.sock; borrowed for the call */
        uint32_t ring_kib;  /* KiB of ring for each thread; rounded up to a power of two */
        uint32_t on_full;   /* enum spanalloc_on_full */
};

/* Holds the entered spans of a coroutine while that coroutine is suspended.  Set it to zeros before the first
 * switch from or to the coroutine.  It needs no freeing. */
struct spanalloc_stack {
        uint64_t private_[132];
};

#ifdef SPANALLOC_DISABLE
#include "detail/disable.h"
#else
#ifdef SPANALLOC_WEAK
#define SPANALLOC_API __attribute__((weak, visibility("default")))
#else
#define SPANALLOC_API __attribute__((visibility("default")))
#endif

/* Opens a span as a child of the calling thread's innermost entered span, or as a root.  Returns its handle, which
 * any thread may use until spanalloc_close().  Returns the null span while the process is not attached to a collector:
 * that work is never recorded. */
SPANALLOC_API spanalloc_span spanalloc_open(spanalloc_site *site);

/* The same as a child of `parent`, wherever that was opened and whatever the calling thread has entered; under the null
 * span it is a root.  The parent may end first: its name stays in the child's path. */
SPANALLOC_API spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent);

/* Begins a cycle on the calling thread, on top of the spans that it has entered: the thread's allocations now
 * belong to this span.  A span may have any number of cycles, also on several threads at the same time.  With a
 * full ring, or with 64 entered spans, the cycle is refused, and what is allocated in it is counted as lost; call
 * spanalloc_exit() all the same. */
SPANALLOC_API void spanalloc_enter(spanalloc_span span);

/* Ends the calling thread's latest cycle of this span, and the scopes above it.  If the thread has none, it ends a
 * cycle of another thread: at that thread's next call, with that thread's counters then.  If no thread has entered
 * the span, it does nothing, and unmatched_exits counts it. */
SPANALLOC_API void spanalloc_exit(spanalloc_span span);

/* Ends the span; call it once, from any thread.  If threads are still in the span, it ends with the last of their
 * exits: these may still use the handle.  Nothing else may: an enter of a closed span does no harm, but is in the sums
 * of the span's name and of its parents, and in no number of a call of that span. */
SPANALLOC_API void spanalloc_close(spanalloc_span span);

/* Returns the handle of the calling thread's innermost entered span, or the null span.  Until the span is closed, other
 * threads may enter it or open children of it. */
SPANALLOC_API spanalloc_span spanalloc_current(void);

/* Call it right before a switch between coroutines.  It ends the calling thread's cycles and saves their spans in
 * `*save`; then it enters the spans of `*take`, which any thread may have saved, and empties `*take`.  No span is
 * closed.  `save` may be NULL: the spans are not saved.  `take` may be NULL: no span is entered.  Spans that are
 * saved and never entered again stay open. */
SPANALLOC_API void spanalloc_stack_switch(struct spanalloc_stack *save, struct spanalloc_stack *take);

/* Returns a site for a name that is known only at run time: the same pointer for the same text, valid for ever.
 * `name` is copied.  Slow beside a static site: keep the pointer.  Never NULL: a full table returns "(other)". */
SPANALLOC_API spanalloc_site *spanalloc_site_intern(const char *name);

/* From now on the library calls `fn` to get a thread's counters, and does not use those of libspanalloc-malloc.
 * Call it at the beginning of main(), not in a signal handler.  Returns 0; -EBUSY if a thread has already written
 * records; -EINVAL for NULL. */
SPANALLOC_API int spanalloc_set_snapshot(spanalloc_snapshot_fn fn);

/* Connects to the collector now, and not only when a span is opened, and waits up to 5 s for its answer.  `options` may
 * be NULL; it is read during the call only.  Returns 0, also if the process is attached already; else a negative errno:
 * -ENOENT or -ECONNREFUSED: there is no collector; -EPERM: SPANALLOC=0, an untrusted collector, or a seccomp filter;
 * -EPROTO: another version; -EAGAIN: another thread attaches.  spanalloc(3) lists the others. */
SPANALLOC_API int spanalloc_attach(const struct spanalloc_options *options);

/* Ends recording in this process, for all its threads, until the next spanalloc_attach().  Entered spans end as
 * aborted.  Each thread gives back its ring at its next call. */
SPANALLOC_API void spanalloc_detach(void);

/* Fills the first out->size bytes of *out; the caller sets out->size to sizeof *out.  If it is smaller than the
 * field `size`, nothing is written.  Other threads may count during the call.  (In C++ gcc warns that a function
 * hides its struct's constructor.) */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
SPANALLOC_API void spanalloc_stats(struct spanalloc_stats *out);
#pragma GCC diagnostic pop

/* SPANALLOC_SCOPE as calls, for other languages: open and enter, exit and close, with one record each in place of two.
 * The same thread makes both calls.  A scope that ends also ends the scopes that began after it on this thread. */
SPANALLOC_API spanalloc_span spanalloc_scope_begin(spanalloc_site *site);
SPANALLOC_API void spanalloc_scope_end(spanalloc_span span);

#ifdef SPANALLOC_WEAK
#include "detail/weak.h"
#else
#include "detail/look.h"
#endif

/* Defines a static site, at file or block scope.  `name` is a string literal of at most 159 bytes. */
#define SPANALLOC_SITE(ident, name)                                                                                    \
        static spanalloc_site ident = {SPANALLOC_ABI, (uint32_t)__LINE__, "" name "", __FILE__, 0, 0}

/* A span for the rest of the enclosing block: open and enter here, exit and close when the block is left. */
#define SPANALLOC_SCOPE(name) SPANALLOC_SCOPE_(name, __COUNTER__)
#include "detail/scope.h"
#endif /* !SPANALLOC_DISABLE */

#ifdef __cplusplus
}
#endif
#endif /* SPANALLOC_H */
