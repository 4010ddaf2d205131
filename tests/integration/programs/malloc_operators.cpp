/* SPDX-License-Identifier: MIT */
/*
 * Allocates with each of C++'s replaceable operators, and by malloc, in threads too, and keeps its own ledger.
 *
 *     LEDGER_ROUNDS=n malloc_operators
 *
 * prints `alloc_count alloc_bytes dealloc_count dealloc_bytes`.  The counters of a run with n rounds, less those of a
 * run with 0, must be exactly that.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <pthread.h>

namespace {

uint64_t ledger[4];
long rounds;

void check(bool ok, const char *what) {
        if (!ok) {
                std::fprintf(stderr, "malloc_operators: wrong: %s\n", what);
                std::_Exit(3);
        }
}

void *got(void *block, std::size_t alignment = 1) {
        check(block && reinterpret_cast<std::uintptr_t>(block) % alignment == 0, "a block");
        ledger[0]++;
        ledger[1] += malloc_usable_size(block);
        return block;
}

void *lost(void *block) {
        ledger[2]++;
        ledger[3] += malloc_usable_size(block);
        return block;
}

void plain(std::size_t size) {
        const std::nothrow_t &tag = std::nothrow;

        ::operator delete(lost(got(::operator new(size))));
        ::operator delete[](lost(got(::operator new[](size))));
        ::operator delete(lost(got(::operator new(size))), size);
        ::operator delete[](lost(got(::operator new[](size))), size);
        ::operator delete(lost(got(::operator new(size, tag))), tag);
        ::operator delete[](lost(got(::operator new[](size, tag))), tag);
        got(::operator new(size)); /* leaked, so that no two counters agree */
        got(::operator new[](size, tag));
        std::free(lost(got(std::malloc(size))));
}

void aligned(std::size_t size) {
        const std::nothrow_t &tag = std::nothrow;
        const std::align_val_t to{128};

        ::operator delete(lost(got(::operator new(size, to), 128)), to);
        ::operator delete[](lost(got(::operator new[](size, to), 128)), to);
        ::operator delete(lost(got(::operator new(size, to), 128)), size, to);
        ::operator delete[](lost(got(::operator new[](size, to), 128)), size, to);
        ::operator delete(lost(got(::operator new(size, to, tag), 128)), to, tag);
        ::operator delete[](lost(got(::operator new[](size, to, tag), 128)), to, tag);
        got(::operator new(size, to), 128);
}

int handled;

void handler() {
        if (++handled % 3 == 0)
                std::set_new_handler(nullptr);
}

void throwing_handler() {
        throw std::bad_alloc();
}

template <typename F> bool throws(F allocate) {
        try {
                allocate();
        } catch (const std::bad_alloc &) {
                return true;
        }
        return false;
}

/* What cannot be had: it throws, or returns NULL, after the handler has had its turns, and counts nothing. */
void failures() {
        volatile std::size_t huge = SIZE_MAX / 2;
        const std::align_val_t to{128};

        check(throws([&] { return ::operator new(huge); }), "new throws");
        check(throws([&] { return ::operator new[](huge); }), "new[] throws");
        check(throws([&] { return ::operator new(huge, to); }), "aligned new throws");
        check(throws([&] { return ::operator new[](huge, to); }), "aligned new[] throws");
        check(!::operator new(huge, std::nothrow), "nothrow new");
        check(!::operator new[](huge, std::nothrow), "nothrow new[]");
        check(!::operator new(huge, to, std::nothrow), "aligned nothrow new");
        check(!::operator new[](huge, to, std::nothrow), "aligned nothrow new[]");
        handled = 0;
        std::set_new_handler(handler);
        check(throws([&] { return ::operator new(huge); }) && handled == 3, "the handler's turns");
        handled = 0;
        std::set_new_handler(throwing_handler);
        check(throws([&] { return ::operator new[](huge); }), "the handler's exception");
        check(!::operator new(huge, std::nothrow), "the handler's exception does not leave nothrow new");
        std::set_new_handler(nullptr);
}

void script() {
        for (long i = 0; i < rounds; i++) {
                plain(static_cast<std::size_t>(i * 37 % 5000));
                aligned(static_cast<std::size_t>(i * 41 % 5000 + 1));
        }
}

struct early {
        early() {
                const char *text = std::getenv("LEDGER_ROUNDS");

                rounds = text ? std::atol(text) : 0;
                script();
        }
        ~early() {
                script();
                std::printf("%llu %llu %llu %llu\n", static_cast<unsigned long long>(ledger[0]),
                            static_cast<unsigned long long>(ledger[1]), static_cast<unsigned long long>(ledger[2]),
                            static_cast<unsigned long long>(ledger[3]));
        }
} early_and_late;

} // namespace

int main() {
        pthread_t thread;

        script();
        check(!pthread_create(
                      &thread, nullptr,
                      [](void *) -> void * {
                              script();
                              return nullptr;
                      },
                      nullptr),
              "a thread");
        pthread_join(thread, nullptr);
        failures(); /* with any number of rounds: exceptions are blocks, too */
        return 0;
}
