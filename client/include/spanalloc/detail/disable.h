/* SPDX-License-Identifier: MIT */
/* Private to spanalloc.h: with SPANALLOC_DISABLE every call is an empty inline function. */
#ifndef SPANALLOC_DETAIL_DISABLE_H
#define SPANALLOC_DETAIL_DISABLE_H

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
static inline void spanalloc_stack_switch(struct spanalloc_stack *save, struct spanalloc_stack *take) {
        (void)save;
        (void)take;
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

#endif /* SPANALLOC_DETAIL_DISABLE_H */
