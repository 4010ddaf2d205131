# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's other allocators, for the scripts that run on top of them.
# shellcheck disable=SC2034
ALLOCATORS="jemalloc tcmalloc mimalloc"

# allocator_library NAME: the path of its run-time library, or nothing.
allocator_library() {
        local file=none
        case $1 in
        jemalloc) file=libjemalloc.so.2 ;;
        tcmalloc) file=libtcmalloc_minimal.so.4 ;;
        mimalloc) file=libmimalloc.so.[23] ;;
        esac
        PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n "s/^[[:space:]]*$file .* => //p" | head -n 1
}
