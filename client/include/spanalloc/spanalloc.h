/* SPDX-License-Identifier: MIT */
/*
 * spanalloc: which unit of work allocates heap, live, in production.
 *
 *     #include <spanalloc/spanalloc.h>
 *
 *     void handle(struct request *r) {
 *             SPANALLOC_SCOPE("handle");
 *             ...
 *     }
 *
 * A *site* is a place in the source; a *span* is one unit of work that began there; a *cycle* is one stretch of it,
 * from enter to exit, on one thread.  All calls may be made from any thread and from signal handlers.  None of them
 * allocates, locks, prints, changes errno or ends the program.  Without a running collector each is a load and a
 * branch, here, before any call.
 *
 * Before including this:
 *     #define SPANALLOC_WEAK      no link dependency: calls do nothing unless the library is in the process
 *     #define SPANALLOC_DISABLE   everything compiles to nothing
 */
#ifndef SPANALLOC_H
#define SPANALLOC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A thread's allocation counters.  They only grow; bytes are usable sizes unless the program says otherwise. */
struct spanalloc_counters {
        uint64_t alloc_count, alloc_bytes, dealloc_count, dealloc_bytes;
};

/* One place in the source.  Static; define it with SPANALLOC_SITE and pass its address.  The fields are the
 * library's. */
typedef struct spanalloc_site {
        uint32_t abi;
        uint32_t line;
        const char *name, *file;
        uint64_t cache;
        uint64_t reserved;
} spanalloc_site;

/* A span, by value.  It stays valid until spanalloc_close(); the all-zero one is none, which every call ignores. */
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

/* Writes the calling thread's counters, which may only grow.  It is called inside enter and exit: it must not
 * allocate, lock, or call spanalloc. */
typedef void (*spanalloc_snapshot_fn)(struct spanalloc_counters *out);

enum spanalloc_on_full {
        SPANALLOC_ON_FULL_DEFAULT = 0, /* as SPANALLOC_ON_FULL in the environment says, else refuse */
        SPANALLOC_REFUSE = 1,          /* a full ring refuses the enter, and counts it */
        SPANALLOC_WAIT = 2             /* a full ring makes the thread wait, at most 10 seconds; for tests */
};

/* Zero a field for its default: the environment's, then the library's.  `size` is sizeof of the struct. */
struct spanalloc_options {
        size_t size;
        const char *socket; /* path of the collector's ingest.sock; borrowed for the call */
        uint32_t ring_kib;  /* KiB of ring for each thread; rounded up to a power of two */
        uint32_t on_full;   /* enum spanalloc_on_full */
};

/* What this process could not record, and why, since it first attached.  `size` is sizeof of the struct. */
struct spanalloc_stats {
        size_t size;
        uint32_t attached;        /* 1: a collector is listening */
        int32_t attach_error;     /* 0, or the -errno of the last attempt */
        uint64_t attach_attempts; /* kernel entries for it, each at most once a second */
        uint64_t threads;         /* that were given a place in the books: a few kernel entries each */
        uint64_t refused_threads; /* more threads than the segment has lanes: their spans are not recorded */
        uint64_t refused_enters;  /* the ring was full: what ran in them is `lost` */
        uint64_t refused_depth;   /* deeper than 64 entered spans on one thread: likewise */
        uint64_t refused_opens;   /* the ring was full: the span is known from its first enter on */
        uint64_t refused_closes;  /* ring and overflow list full: the span stays open in the books */
        uint64_t unmatched_exits; /* exits of a span that was entered on no thread */
        uint64_t nested;          /* calls of a signal handler that interrupted a call */
        uint64_t waits;           /* kernel entries to wait for room */
        uint64_t doorbells;       /* kernel entries to wake the collector */
        uint64_t other_names;     /* spans shown as (other): too many names … */
        uint64_t other_paths;     /* … or paths, or a path too deep */
        uint64_t truncated_names; /* names longer than 159 bytes */
};

#ifdef SPANALLOC_DISABLE

#define SPANALLOC_SITE(ident, name) static spanalloc_site ident __attribute__((unused)) = {0, 0, "" name "", 0, 0, 0}
#define SPANALLOC_SCOPE(name)       ((void)sizeof("" name ""))

static inline spanalloc_span spanalloc_current(void) {
        spanalloc_span none = SPANALLOC_SPAN_INIT;
        return none;
}
static inline spanalloc_span spanalloc_open(spanalloc_site *site) {
        (void)site;
        return spanalloc_current();
}
static inline spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent) {
        (void)parent;
        return spanalloc_open(site);
}
static inline void spanalloc_enter(spanalloc_span span) {
        (void)span;
}
static inline void spanalloc_exit(spanalloc_span span) {
        (void)span;
}
static inline void spanalloc_close(spanalloc_span span) {
        (void)span;
}
static inline spanalloc_site *spanalloc_site_intern(const char *name) {
        (void)name;
        return (spanalloc_site *)0;
}
static inline int spanalloc_set_snapshot(spanalloc_snapshot_fn fn) {
        (void)fn;
        return 0;
}
static inline int spanalloc_attach(const struct spanalloc_options *options) {
        (void)options;
        return 0;
}
static inline void spanalloc_detach(void) {
}
static inline void spanalloc_no_stats_(struct spanalloc_stats *out) {
        for (size_t i = sizeof out->size; i < out->size && i < sizeof *out; i++)
                ((unsigned char *)out)[i] = 0;
}
#define spanalloc_stats(out) spanalloc_no_stats_(out)

#else /* !SPANALLOC_DISABLE */

#ifdef SPANALLOC_WEAK
#define SPANALLOC_API __attribute__((weak, visibility("default")))
#else
#define SPANALLOC_API __attribute__((visibility("default")))
#endif

/* Opens a span as a child of the calling thread's current one.  Returns none while no collector listens. */
SPANALLOC_API spanalloc_span spanalloc_open(spanalloc_site *site);

/* Opens a span under `parent`, from any thread; under none it is a root. */
SPANALLOC_API spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent);

/* Begins a cycle on the calling thread, on top of what it has entered.  Any number of cycles, any threads, also at
 * the same time. */
SPANALLOC_API void spanalloc_enter(spanalloc_span span);

/* Ends a cycle: the calling thread's latest of this span, or else another thread's, which then ends at that
 * thread's next call. */
SPANALLOC_API void spanalloc_exit(spanalloc_span span);

/* Ends the span, once, from any thread.  While it is still entered somewhere, it ends with the last exit. */
SPANALLOC_API void spanalloc_close(spanalloc_span span);

/* The calling thread's innermost entered span, or none. */
SPANALLOC_API spanalloc_span spanalloc_current(void);

/* A site for a name that is known only at run time: the same pointer for the same text, for ever.  Slow beside a
 * static site, and bounded: with a full table it returns the site "(other)", never NULL.  `name` is copied. */
SPANALLOC_API spanalloc_site *spanalloc_site_intern(const char *name);

/* Counters of the program's own instead of libspanalloc-malloc's.  Returns 0; -EBUSY once a thread is on record;
 * -EINVAL for NULL. */
SPANALLOC_API int spanalloc_set_snapshot(spanalloc_snapshot_fn fn);

/* Connects to the collector now instead of at the first span.  `options` may be NULL.  Returns 0, also when the
 * process is attached already; else a negative errno: -ENOENT or -ECONNREFUSED without a collector, -EACCES, -EPERM
 * when SPANALLOC=0 or the collector is not to be trusted, -EPROTO for another version, -ETIMEDOUT, -EINVAL. */
SPANALLOC_API int spanalloc_attach(const struct spanalloc_options *options);

/* Ends recording in this process until the next spanalloc_attach().  Entered spans end as aborted. */
SPANALLOC_API void spanalloc_detach(void);

/* Fills *out, as far as out->size says.  (In C++ gcc warns that a function hides its struct's constructor.) */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
SPANALLOC_API void spanalloc_stats(struct spanalloc_stats *out);
#pragma GCC diagnostic pop

/* What SPANALLOC_SCOPE is made of: open and enter, exit and close, in one record each. */
SPANALLOC_API spanalloc_span spanalloc_scope_begin(spanalloc_site *site);
SPANALLOC_API void spanalloc_scope_end(spanalloc_span span);

/* -------------------------------------------------------------------------------- the look before a call -- */

#ifndef SPANALLOC_WEAK

/* From here to the end of this part everything is private to this header, and part of the library's interface all the
 * same: what is compiled into a program stays there.
 *
 * A call from C or C++ is made only where it may have something to do: a span that is none is not entered; and nothing is
 * opened while nobody listens, but now and then, when it is time to look for a collector.  The functions above are for
 * other languages, and for who takes their address: they look themselves. */

/* 0 while this process is certainly not attached.  It errs to the safe side: then the library finds out. */
SPANALLOC_API extern uint32_t spanalloc_listening_;
/* How many more opens of the calling thread may go by without a look for a collector; below 1: none. */
SPANALLOC_API extern __thread int32_t spanalloc_patience_ __attribute__((tls_model("initial-exec")));

/* Called through the table of addresses, not by way of a jump there. */
#ifdef __has_attribute
#if __has_attribute(noplt)
#define SPANALLOC_DO_ SPANALLOC_API __attribute__((noplt))
#endif
#endif
#ifndef SPANALLOC_DO_
#define SPANALLOC_DO_ SPANALLOC_API
#endif

/* The same as the functions above, for who has looked: `span` is not none. */
SPANALLOC_DO_ spanalloc_span spanalloc_do_open_(spanalloc_site *site);
SPANALLOC_DO_ spanalloc_span spanalloc_do_open_under_(spanalloc_site *site, spanalloc_span parent);
SPANALLOC_DO_ void spanalloc_do_enter_(spanalloc_span span);
SPANALLOC_DO_ void spanalloc_do_exit_(spanalloc_span span);
SPANALLOC_DO_ void spanalloc_do_close_(spanalloc_span span);
SPANALLOC_DO_ spanalloc_span spanalloc_do_current_(void);
SPANALLOC_DO_ spanalloc_span spanalloc_do_scope_begin_(spanalloc_site *site);
SPANALLOC_DO_ void spanalloc_do_scope_end_(spanalloc_span span);

#ifndef SPANALLOC_INSIDE_ /* the library's own sources */

/* Only ever expanded: whatever is not, an address that is taken, is the library's function. */
#define SPANALLOC_LOOK_ extern inline __attribute__((gnu_inline, always_inline, artificial))

SPANALLOC_LOOK_ int spanalloc_is_alone_(void) {
        /* [G3] relaxed load of `listening`, pairs with the store in sa_set_listening().  A thread that was told of the
         * attachment reads no older 0. */
        return !__atomic_load_n(&spanalloc_listening_, __ATOMIC_RELAXED) && spanalloc_patience_ > 0;
}
/* … where a span would be opened.  A signal handler may come between the load and the store: then some of its opens, or the
 * library's word that it is time to look, are forgotten, for as many opens as were left before. */
SPANALLOC_LOOK_ int spanalloc_goes_by_(void) {
        if (!spanalloc_is_alone_())
                return 0;
        spanalloc_patience_--;
        return 1;
}

SPANALLOC_LOOK_ spanalloc_span spanalloc_open(spanalloc_site *site) {
        return spanalloc_goes_by_() ? SPANALLOC_NONE : spanalloc_do_open_(site);
}
SPANALLOC_LOOK_ spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent) {
        return spanalloc_goes_by_() ? SPANALLOC_NONE : spanalloc_do_open_under_(site, parent);
}
SPANALLOC_LOOK_ void spanalloc_enter(spanalloc_span span) {
        if (span.instance)
                spanalloc_do_enter_(span);
}
SPANALLOC_LOOK_ void spanalloc_exit(spanalloc_span span) {
        if (span.instance)
                spanalloc_do_exit_(span);
}
SPANALLOC_LOOK_ void spanalloc_close(spanalloc_span span) {
        if (span.instance)
                spanalloc_do_close_(span);
}
SPANALLOC_LOOK_ spanalloc_span spanalloc_current(void) {
        return spanalloc_is_alone_() ? SPANALLOC_NONE : spanalloc_do_current_();
}
SPANALLOC_LOOK_ spanalloc_span spanalloc_scope_begin(spanalloc_site *site) {
        return spanalloc_goes_by_() ? SPANALLOC_NONE : spanalloc_do_scope_begin_(site);
}
SPANALLOC_LOOK_ void spanalloc_scope_end(spanalloc_span span) {
        if (span.instance)
                spanalloc_do_scope_end_(span);
}

#endif
#endif /* !SPANALLOC_WEAK */

#ifdef SPANALLOC_WEAK

#define SPANALLOC_WEAK_SPAN_(call, name)                                                                               \
        spanalloc_span none = SPANALLOC_SPAN_INIT;                                                                     \
        return name ? call : none

static inline spanalloc_span spanalloc_weak_open_(spanalloc_site *site) {
        SPANALLOC_WEAK_SPAN_(spanalloc_open(site), spanalloc_open);
}
static inline spanalloc_span spanalloc_weak_open_under_(spanalloc_site *site, spanalloc_span parent) {
        SPANALLOC_WEAK_SPAN_(spanalloc_open_under(site, parent), spanalloc_open_under);
}
static inline void spanalloc_weak_enter_(spanalloc_span span) {
        if (span.instance && spanalloc_enter)
                spanalloc_enter(span);
}
static inline void spanalloc_weak_exit_(spanalloc_span span) {
        if (span.instance && spanalloc_exit)
                spanalloc_exit(span);
}
static inline void spanalloc_weak_close_(spanalloc_span span) {
        if (span.instance && spanalloc_close)
                spanalloc_close(span);
}
static inline spanalloc_span spanalloc_weak_current_(void) {
        SPANALLOC_WEAK_SPAN_(spanalloc_current(), spanalloc_current);
}
static inline spanalloc_site *spanalloc_weak_site_intern_(const char *name) {
        return spanalloc_site_intern ? spanalloc_site_intern(name) : (spanalloc_site *)0;
}
static inline int spanalloc_weak_set_snapshot_(spanalloc_snapshot_fn fn) {
        return spanalloc_set_snapshot ? spanalloc_set_snapshot(fn) : 0;
}
static inline int spanalloc_weak_attach_(const struct spanalloc_options *options) {
        return spanalloc_attach ? spanalloc_attach(options) : 0;
}
static inline void spanalloc_weak_detach_(void) {
        if (spanalloc_detach)
                spanalloc_detach();
}
static inline void spanalloc_weak_stats_(struct spanalloc_stats *out) {
        if (spanalloc_stats) {
                spanalloc_stats(out);
                return;
        }
        for (size_t i = sizeof out->size; i < out->size && i < sizeof *out; i++)
                ((unsigned char *)out)[i] = 0;
}
static inline spanalloc_span spanalloc_weak_scope_begin_(spanalloc_site *site) {
        SPANALLOC_WEAK_SPAN_(spanalloc_scope_begin(site), spanalloc_scope_begin);
}
static inline void spanalloc_weak_scope_end_(spanalloc_span span) {
        if (span.instance && spanalloc_scope_end)
                spanalloc_scope_end(span);
}
#define spanalloc_open         spanalloc_weak_open_
#define spanalloc_open_under   spanalloc_weak_open_under_
#define spanalloc_enter        spanalloc_weak_enter_
#define spanalloc_exit         spanalloc_weak_exit_
#define spanalloc_close        spanalloc_weak_close_
#define spanalloc_current      spanalloc_weak_current_
#define spanalloc_site_intern  spanalloc_weak_site_intern_
#define spanalloc_set_snapshot spanalloc_weak_set_snapshot_
#define spanalloc_attach       spanalloc_weak_attach_
#define spanalloc_detach       spanalloc_weak_detach_
#define spanalloc_stats(out)   spanalloc_weak_stats_(out)
#define spanalloc_scope_begin  spanalloc_weak_scope_begin_
#define spanalloc_scope_end    spanalloc_weak_scope_end_

#endif /* SPANALLOC_WEAK */

/* Defines a static site.  `name` is a string literal of at most 159 bytes. */
#define SPANALLOC_SITE(ident, name)                                                                                    \
        static spanalloc_site ident = {SPANALLOC_ABI, (uint32_t)__LINE__, "" name "", __FILE__, 0, 0}

#define SPANALLOC_CAT2_(a, b) a##b
#define SPANALLOC_CAT_(a, b)  SPANALLOC_CAT2_(a, b)

/* A span for the rest of the enclosing block: open and enter here, exit and close when the block is left. */
#define SPANALLOC_SCOPE(name) SPANALLOC_SCOPE_(name, __COUNTER__)

#ifdef __cplusplus
}
namespace spanalloc {
class scope {
      public:
        explicit scope(spanalloc_site *site) : span_(spanalloc_scope_begin(site)) {
        }
        ~scope() {
                if (span_.instance)
                        spanalloc_scope_end(span_);
        }
        scope(const scope &) = delete;
        scope &operator=(const scope &) = delete;

      private:
        spanalloc_span span_;
};
} // namespace spanalloc
extern "C" {
#define SPANALLOC_SCOPE_(name, n)                                                                                      \
        SPANALLOC_SITE(SPANALLOC_CAT_(spanalloc_site_, n), name);                                                      \
        const ::spanalloc::scope SPANALLOC_CAT_(spanalloc_scope_, n)(&SPANALLOC_CAT_(spanalloc_site_, n))
#else
static inline void spanalloc_scope_cleanup_(spanalloc_span *span) {
        if (span->instance)
                spanalloc_scope_end(*span);
}
#define SPANALLOC_SCOPE_(name, n)                                                                                      \
        SPANALLOC_SITE(SPANALLOC_CAT_(spanalloc_site_, n), name);                                                      \
        __attribute__((cleanup(spanalloc_scope_cleanup_), unused)) spanalloc_span SPANALLOC_CAT_(                      \
                spanalloc_scope_, n) = spanalloc_scope_begin(&SPANALLOC_CAT_(spanalloc_site_, n))
#endif

#endif /* !SPANALLOC_DISABLE */

#ifdef __cplusplus
}
#endif

#endif /* SPANALLOC_H */
