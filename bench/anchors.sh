#!/bin/bash
# SPDX-License-Identifier: MIT
# What others cost, for scripts/bench.  usage: anchors.sh SOURCE WORK.  Prints "NAME VALUE" lines; what cannot be had, or
# fails, is told on stderr and left out.
set -u
source=$1 work=$2
here=$source/bench/anchors

seed() {
        [ -d /usr/share/cargo/registry/tracing-subscriber-0.3.16 ] || { echo "anchor: Debian's crates are not there" >&2; return; }
        cp -r "$here/seed" "$work/seed"
        mkdir "$work/seed/.cargo"
        printf '[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "/usr/share/cargo/registry"\n' \
                >"$work/seed/.cargo/config.toml"
        (cd "$work/seed" && CARGO_HOME=$work/cargo PATH=/usr/bin:/bin cargo build --release --offline >&2) || return
        for _ in 1 2 3; do
                taskset -c 0 "$work/seed/target/release/anchor-seed" | grep seed_pair
                "$work/seed/target/release/anchor-seed" | grep shared
        done
}

lttng_ust() {
        local sessiond
        command -v lttng-sessiond >/dev/null || { echo "anchor: lttng-tools is not there" >&2; return; }
        gcc -O2 -I"$source" -D_GNU_SOURCE "$here/lttng/pair.c" -o "$work/lttng-pair" -I"$here/lttng" -llttng-ust -ldl || return
        export LTTNG_HOME=$work/lttng
        mkdir -p "$LTTNG_HOME"
        lttng-sessiond --no-kernel >/dev/null 2>&1 &
        sessiond=$!
        for _ in {1..100}; do
                lttng list >/dev/null 2>&1 && break
                sleep 0.1
        done
        {
                lttng create bench --snapshot --output="$LTTNG_HOME/out"
                lttng enable-channel -u -s bench --overwrite --subbuf-size=1M --num-subbuf=4 channel
                lttng enable-event -u -s bench -c channel 'spanalloc_bench:*'
                lttng start bench
        } >/dev/null 2>&1
        for _ in 1 2 3; do
                "$work/lttng-pair"
        done
        lttng destroy bench >/dev/null 2>&1
        kill "$sessiond"
        wait "$sessiond" 2>/dev/null
}

# Wall time of jq over the same file, in ms: the least of three.
jq_ms() {
        local least=999999 begun took
        for _ in 1 2 3; do
                begun=$(date +%s%N)
                "$@" jq -c 'map(.nested.x) | add' "$work/in/rows.json" >/dev/null 2>&1
                took=$((($(date +%s%N) - begun) / 100000))
                [ "$took" -ge "$least" ] || least=$took
        done
        echo "$least"
}
ratio() {
        echo "$1 $(awk "BEGIN { print $2 / $3 }")"
}
profilers() {
        local plain jemalloc tcmalloc
        plain=$(jq_ms env)
        ratio anchor_spanalloc_jq "$(jq_ms env "LD_PRELOAD=$source/build/release/client/malloc/libspanalloc-malloc.so")" "$plain"
        if command -v heaptrack >/dev/null; then
                cd "$work" || return
                ratio anchor_heaptrack_jq "$(jq_ms heaptrack -o "$work/heaptrack")" "$plain"
        fi
        jemalloc=$(find /usr/lib -name libjemalloc.so.2 | head -n 1)
        if [ -n "$jemalloc" ]; then
                ratio anchor_jemalloc_prof_jq "$(jq_ms env "LD_PRELOAD=$jemalloc" MALLOC_CONF=prof:true,prof_final:false)" \
                        "$(jq_ms env "LD_PRELOAD=$jemalloc")"
        fi
        tcmalloc=$(find /usr/lib -name libtcmalloc.so.4 | head -n 1)
        if [ -n "$tcmalloc" ]; then
                ratio anchor_tcmalloc_prof_jq \
                        "$(jq_ms env "LD_PRELOAD=$tcmalloc" HEAPPROFILE="$work/heap")" "$(jq_ms env "LD_PRELOAD=$tcmalloc")"
        fi
}

seed
lttng_ust
profilers
