/* SPDX-License-Identifier: MIT */
/* Private to spanalloc.h: with SPANALLOC_WEAK every call first tests whether the library is in the process. */
#ifndef SPANALLOC_DETAIL_WEAK_H
#define SPANALLOC_DETAIL_WEAK_H

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
static inline void spanalloc_weak_stack_switch_(struct spanalloc_stack *save, struct spanalloc_stack *take) {
        if (spanalloc_stack_switch)
                spanalloc_stack_switch(save, take);
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
#define spanalloc_stack_switch spanalloc_weak_stack_switch_
#define spanalloc_site_intern  spanalloc_weak_site_intern_
#define spanalloc_set_snapshot spanalloc_weak_set_snapshot_
#define spanalloc_attach       spanalloc_weak_attach_
#define spanalloc_detach       spanalloc_weak_detach_
#define spanalloc_stats(out)   spanalloc_weak_stats_(out)
#define spanalloc_scope_begin  spanalloc_weak_scope_begin_
#define spanalloc_scope_end    spanalloc_weak_scope_end_

#endif /* SPANALLOC_DETAIL_WEAK_H */
