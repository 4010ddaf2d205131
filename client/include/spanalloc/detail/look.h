/* SPDX-License-Identifier: MIT */
/*
 * Private to spanalloc.h, and part of the library's interface all the same: it is compiled into programs.
 *
 * The check before a call.  The inline functions here skip the library call if it would do nothing: for the null span,
 * and while no collector listens, until a search for one is due.  The exported functions of the same names make the
 * same check themselves, for other languages and for function pointers.
 */
#ifndef SPANALLOC_DETAIL_LOOK_H
#define SPANALLOC_DETAIL_LOOK_H

/* 0: this process is certainly not attached.  1: it may be attached, and the called function checks again. */
SPANALLOC_API extern uint32_t spanalloc_listening_;
/* The number of opens of the calling thread until the next search for a collector; below 1: it is due. */
SPANALLOC_API extern __thread int32_t spanalloc_patience_ __attribute__((tls_model("initial-exec")));

/* With noplt a call loads the address from the GOT, without the jump through the PLT. */
#ifdef __has_attribute
#if __has_attribute(noplt)
#define SPANALLOC_DO_ SPANALLOC_API __attribute__((noplt))
#endif
#endif
#ifndef SPANALLOC_DO_
#define SPANALLOC_DO_ SPANALLOC_API
#endif

/* The same as the public functions, after the check: `span` is not none. */
SPANALLOC_DO_ spanalloc_span spanalloc_do_open_(spanalloc_site *site);
SPANALLOC_DO_ spanalloc_span spanalloc_do_open_under_(spanalloc_site *site, spanalloc_span parent);
SPANALLOC_DO_ void spanalloc_do_enter_(spanalloc_span span);
SPANALLOC_DO_ void spanalloc_do_exit_(spanalloc_span span);
SPANALLOC_DO_ void spanalloc_do_close_(spanalloc_span span);
SPANALLOC_DO_ spanalloc_span spanalloc_do_current_(void);
SPANALLOC_DO_ spanalloc_span spanalloc_do_scope_begin_(spanalloc_site *site);
SPANALLOC_DO_ void spanalloc_do_scope_end_(spanalloc_span span);

#ifndef SPANALLOC_INSIDE_ /* the library's own sources */

/* Never emitted as a function: an address that is taken is that of the library's. */
#define SPANALLOC_LOOK_ extern inline __attribute__((gnu_inline, always_inline, artificial))

SPANALLOC_LOOK_ int spanalloc_is_alone_(void) {
        /* [G3] relaxed load of `listening`, pairs with the store in sa_set_listening().  A thread that was told of the
         * attachment reads no older 0. */
        return !__atomic_load_n(&spanalloc_listening_, __ATOMIC_RELAXED) && spanalloc_patience_ > 0;
}
/* spanalloc_is_alone_() for a call that opens a span.  It counts down the opens that are left until the next
 * search for a collector.  If a signal handler opens spans between the load and the store, the store overwrites
 * what the handler has stored: the next search then comes later, or (if the handler has searched) earlier, by at
 * most the opens that were left. */
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

#endif /* !SPANALLOC_INSIDE_ */

#endif /* SPANALLOC_DETAIL_LOOK_H */
