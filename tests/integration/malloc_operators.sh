#!/bin/bash
# SPDX-License-Identifier: MIT
# C++'s operators new and delete, all of them, on each allocator, preloaded and linked: counted once each, to the byte.
# And where they are not for us to count: a library's own operators, a program's own, and plugins whose C++ run-time
# library only they can see.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/allocators.sh"
need jq cc c++

FIELDS='"\(.alloc_count) \(.alloc_bytes) \(.dealloc_count) \(.dealloc_bytes)"'
SOURCE_FILE=$SOURCE/tests/integration/programs/malloc_operators.cpp

# build OUTPUT LIBRARY…: the program, linked with these in this order.
build() {
        local output=$1
        shift
        c++ -std=c++17 -O1 -Wall -Wextra -pthread -o "$output" "$SOURCE_FILE" -Wl,--no-as-needed "$@" \
                "-Wl,-rpath,$(dirname "$PRELOAD")"
}

# counters ROUNDS PRELOAD PROGRAM: by ps; the ledger goes to $WORK/ledger.
counters() {
        local pid
        LEDGER_ROUNDS=$1 LD_PRELOAD=$2 "$3" >"$WORK/ledger" &
        pid=$!
        wait "$pid" || fail "the program ended with $? under $2"
        json ".processes[] | select(.pid == $pid) | $FIELDS" ps
}

# compare WHAT PRELOAD PROGRAM
compare() {
        local what=$1 field
        local -a idle busy wanted
        shift
        read -ra idle <<<"$(counters 0 "$@")"
        read -ra busy <<<"$(counters 200 "$@")"
        read -ra wanted <"$WORK/ledger"
        note "$what: ledger ${wanted[*]}, counted ${busy[*]}, of these outside the script ${idle[*]}"
        expect_at_least "$what: allocations in the script" "${wanted[0]}" 10000
        for field in 0 1 2 3; do
                expect "$what: counted less what the process does anyway, $field" \
                        $((busy[field] - idle[field])) "${wanted[field]}"
        done
}

start_collector
build "$WORK/plain"
build "$WORK/ours" "$PRELOAD"
compare "glibc, preloaded" "$PRELOAD" "$WORK/plain"
compare "glibc, linked" "" "$WORK/ours"
for name in $ALLOCATORS; do
        library=$(allocator_library "$name")
        [ -n "$library" ] || fail "Debian's $name is not installed"
        compare "$name, preloaded behind" "$PRELOAD:$library" "$WORK/plain"
        build "$WORK/linked" "$library"
        compare "$name, linked" "$PRELOAD" "$WORK/linked"
        build "$WORK/linked" "$PRELOAD" "$library"
        compare "$name, linked behind" "" "$WORK/linked"
done

# Operators with a heap of their own: each block has a mark in front of it, which delete looks for.
cat >"$WORK/marked.cpp" <<'E2'
#include <cstdlib>
#include <new>
void *operator new(std::size_t size) {
        std::size_t *block = static_cast<std::size_t *>(std::malloc(size + 16));
        if (!block)
                throw std::bad_alloc();
        block[1] = 0x4d41524b;
        return block + 2;
}
void operator delete(void *block) noexcept {
        if (!block)
                return;
        std::size_t *mark = static_cast<std::size_t *>(block) - 1;
        if (*mark != 0x4d41524b)
                std::abort();
        *mark = 0;
        std::free(mark - 1);
}
void operator delete(void *block, std::size_t) noexcept { operator delete(block); }
E2
cat >"$WORK/user.cpp" <<'E2'
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
int main() {
        std::map<std::string, std::vector<std::string>> words;
        for (int i = 0; i < 1000; i++)
                words["a word that is too long to be held within " + std::to_string(i % 10)].emplace_back(100, 'x');
        try {
                std::string().at(words.size());
        } catch (const std::out_of_range &) {
                return 43;
        }
        return 1;
}
E2
c++ -O1 -shared -fPIC -o "$WORK/libmarked.so" "$WORK/marked.cpp"
c++ -O1 -o "$WORK/own" "$WORK/user.cpp" "$WORK/marked.cpp"
c++ -O1 -o "$WORK/user" "$WORK/user.cpp" -Wl,--no-as-needed "$WORK/libmarked.so" "-Wl,-rpath,$WORK"
for name in glibc $ALLOCATORS; do
        preload=$PRELOAD:$(allocator_library "$name")
        expect_status 43 env LD_PRELOAD="$preload" "$WORK/own"
        expect_status 43 env LD_PRELOAD="$preload:$WORK/libmarked.so" "$WORK/user"
        expect_status 43 env LD_PRELOAD="$WORK/libmarked.so:$preload" "$WORK/user"
        [ "$name" = glibc ] || continue
        expect_status 43 env LD_PRELOAD="$preload" "$WORK/user"
done
note "a library's own operators, and a program's own, serve as before"

# A program in C; what its plugin brings along is not for the rest of the process to see.
cat >"$WORK/plugin.cpp" <<'E2'
#include <cstdint>
#include <new>
#include <string>
extern "C" int plugin(int n) {
        volatile std::size_t huge = SIZE_MAX / 2;
        for (int i = 0; i < n; i++)
                delete new std::string(1000, 'x');
        if (operator new(huge, std::nothrow))
                return 1;
        try {
                operator delete(operator new(huge));
        } catch (const std::bad_alloc &) {
                return 44;
        }
        return 2;
}
E2
cat >"$WORK/host.c" <<'E2'
#include <dlfcn.h>
#include <stdlib.h>
int main(int argc, char **argv) {
        int status = 0;
        for (int i = 0; i < 2; i++) {
                void *handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
                int (*plugin)(int) = handle ? (int (*)(int))dlsym(handle, "plugin") : NULL;
                if (!plugin)
                        return 3;
                status = plugin(atoi(argv[2]));
                dlclose(handle);
        }
        return status;
}
E2
c++ -O0 -shared -fPIC -o "$WORK/plugin.so" "$WORK/plugin.cpp"
c++ -O0 -shared -fPIC -static-libstdc++ -static-libgcc -o "$WORK/plugin_static.so" "$WORK/plugin.cpp"
cc -O1 -o "$WORK/host" "$WORK/host.c" -ldl
for name in glibc $ALLOCATORS; do
        library=$(allocator_library "$name")
        for plugin in plugin plugin_static; do
                for n in 0 1000; do
                        LD_PRELOAD=$PRELOAD:$library "$WORK/host" "$WORK/$plugin.so" "$n" &
                        wait_status $!
                        expect "the status of a program with $plugin on $name" "$STATUS" 44
                        counted[n]=$(json ".processes[] | select(.pid == $!) | .alloc_count" ps)
                done
                expect "$plugin on $name: allocations" $((counted[1000] - counted[0])) 4000
        done
done
note "plugins: 4000 allocations of 1000 strings, twice"
expect_balanced
pass
