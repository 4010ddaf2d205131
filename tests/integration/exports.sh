#!/bin/bash
# SPDX-License-Identifier: MIT
# What the libraries show to the process that they are linked into: their names, their version node, their TLS.
. "$(dirname "$0")/../support/lib.sh"
need nm readelf objdump

api="attach close current detach enter exit open open_under set_snapshot site_intern stack_switch stats scope_begin scope_end"

exports() {
        nm -D --defined-only "$1" | awk '$2 != "A" { print $3 }'
}

# What holds for both.
check_library() {
        local library=$1 names tls name
        names=$(exports "$library")
        for name in $api; do
                grep -qE "^spanalloc_$name@@SPANALLOC_[0-9]+$" <<<"$names" ||
                        fail "$library does not export spanalloc_$name under its version node"
        done
        readelf -d "$library" >"$WORK/dynamic"
        grep -q 'FLAGS_1.*NODELETE' "$WORK/dynamic" || fail "$library can be unloaded"
        ! grep -q TEXTREL "$WORK/dynamic" || fail "$library has text relocations"
        grep -q 'SONAME' "$WORK/dynamic" || fail "$library has no soname"
        ! grep -Eq 'R(UN)?PATH' "$WORK/dynamic" || fail "$library has a search path"
        tls=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
        [ -n "$tls" ] || tls=0
        note "$(basename "$library"): $((tls)) bytes of TLS"
        [ $((tls)) -le 64 ] || fail "$library uses $((tls)) bytes of TLS"
        # Initial-exec: no calls of __tls_get_addr, which may allocate.
        ! nm -D --undefined-only "$library" | grep -q __tls_get_addr || fail "$library asks for TLS at run time"
        ! readelf -lW "$library" | grep -Eq 'GNU_STACK.* RWE' || fail "$library has an executable stack"
}

check_library "$LIBSPANALLOC"
# By these two names a program installs a seccomp filter.
strange=$(exports "$LIBSPANALLOC" | grep -vE '^(spanalloc_[a-z_]+@@SPANALLOC_[0-9]+|prctl|syscall)$' || true)
[ -z "$strange" ] || fail "libspanalloc exports more than its interface: $strange"
needed=$(sed -n 's/.*NEEDED.*\[\(.*\)\].*/\1/p' "$WORK/dynamic" | grep -vE '^(libc|ld-linux.*|libpthread|libdl)\.so' || true)
[ -z "$needed" ] || fail "libspanalloc needs more than libc: $needed"

for name in prctl syscall; do
        exports "$LIBSPANALLOC" | grep -qx "$name" || fail "libspanalloc does not stand for $name"
        exports "$PRELOAD" | grep -qx "$name" || fail "libspanalloc-malloc does not stand for $name"
done

check_library "$PRELOAD"
stands_for='prctl|syscall|malloc|calloc|realloc|reallocarray|free|cfree|aligned_alloc|posix_memalign|memalign|valloc|pvalloc'
stands_for+='|exec(v|l)(p|e|pe)?|execle|execlp|fexecve|execveat|posix_spawnp?|malloc_usable_size|v?fork|_?_?clone|dlsym|_Z(nw|na|dl|da)[A-Za-z0-9_]*'
# C++'s operators new and delete, by the names that they have in its ABI.
stands_for+='|_Zn[wa]m(St11align_val_t)?(RKSt9nothrow_t)?'
stands_for+='|_Zd[la]Pv(m?(St11align_val_t)?|(St11align_val_t)?RKSt9nothrow_t)'
strange=$(exports "$PRELOAD" | grep -vE "^(spanalloc_[a-z_]+@@SPANALLOC_[0-9]+|$stands_for)$" || true)
[ -z "$strange" ] || fail "libspanalloc-malloc stands for more than it should: $strange"
for name in malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign valloc pvalloc; do
        exports "$PRELOAD" | grep -qx "$name" || fail "libspanalloc-malloc does not stand for $name"
done
expect "C++'s operators that libspanalloc-malloc stands for" "$(exports "$PRELOAD" | grep -c '^_Z')" 20

note "linked into a program, it is found again under its version"
printf '#include <spanalloc/spanalloc.h>\nint main(void) { SPANALLOC_SCOPE("main"); return 0; }\n' >"$WORK/main.c"
gcc "-I$SOURCE/client/include" "$WORK/main.c" -o "$WORK/main" "$LIBSPANALLOC" "-Wl,-rpath,$(dirname "$LIBSPANALLOC")"
objdump -p "$WORK/main" | grep -q SPANALLOC_ || fail "a program does not ask for the version node"
"$WORK/main" || fail "a program does not run without a collector"
pass
