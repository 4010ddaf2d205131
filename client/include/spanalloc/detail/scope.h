/* SPDX-License-Identifier: MIT */
/* Private to spanalloc.h: how SPANALLOC_SCOPE ends its span when the block is left.  C++ has a destructor, C an
 * attribute. */
#ifndef SPANALLOC_DETAIL_SCOPE_H
#define SPANALLOC_DETAIL_SCOPE_H

#define SPANALLOC_CAT2_(a, b) a##b
#define SPANALLOC_CAT_(a, b)  SPANALLOC_CAT2_(a, b)

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

#endif /* SPANALLOC_DETAIL_SCOPE_H */
