#!/bin/bash
# SPDX-License-Identifier: MIT
# What cannot be counted has a row that says why.
. "$(dirname "$0")/../support/lib.sh"
need jq cc

# A copy that any uid can reach.
chmod 755 "$WORK"
cat >"$WORK/plain.c" <<'END'
#include <stdlib.h>
int main(void) {
        char *volatile p = malloc(100);

        free(p);
        return 9;
}
END
cc -O1 -o "$WORK/plain" "$WORK/plain.c"
cc -O1 -static -o "$WORK/static" "$WORK/plain.c"

# uncounted WHY COMM STATUS COMMAND…: in both reports there is a row of COMM with a reason like WHY.
uncounted() {
        local why=$1 comm=$2 want=$3 status=0 row
        shift 3
        "$CTL" --json=short run -o "$WORK/report" -- "$@" || status=$?
        expect "status of $*" "$status" "$want"
        row=$(jq -c "[.processes[] | select(.comm == \"$comm\")]" "$WORK/report")
        expect "rows of $comm under '$*'" "$(jq length <<<"$row")" 1
        expect_match "why $comm is not counted" "$(jq -r '.[0].counting' <<<"$row")" "$why"
        expect "its allocations" "$(jq '.[0].alloc_count' <<<"$row")" 0
        expect "complete" "$(jq .complete "$WORK/report")" false
        expect "rows that are not counted" "$(jq .not_counted "$WORK/report")" 1
        "$CTL" run -o "$WORK/human" -- "$@" || true
        expect_match "why $comm is not counted" "$(grep -- "$comm" "$WORK/human")" "$why"
        expect_match "the coverage" "$(grep -- coverage "$WORK/human")" 'coverage unknown: (1 of [0-9]+ (programs|processes) is not counted|nothing is counted)'
}

note "static: the command itself, and a child"
uncounted 'static' static 9 "$WORK/static"
uncounted 'static' static 0 sh -c "$WORK/static; true"
uncounted 'static' static 9 sh -c "exec $WORK/static"
uncounted 'static' static 9 env "$WORK/static"

note "a scrubbed environment"
uncounted 'environment' plain 9 env -i "$WORK/plain"
uncounted 'environment' plain 0 sh -c "env -i $WORK/plain; true"
uncounted 'environment' plain 9 env -u LD_PRELOAD "$WORK/plain"

if command -v musl-gcc >/dev/null; then
        note "musl"
        musl-gcc -O1 -o "$WORK/musl" "$WORK/plain.c"
        uncounted 'musl' musl 9 "$WORK/musl"
fi

if [ "$(id -u)" = 0 ]; then
        note "setuid"
        cp "$WORK/plain" "$WORK/setuid"
        chown 65534:65534 "$WORK/setuid"
        chmod 6755 "$WORK/setuid"
        uncounted 'setuid' setuid 9 "$WORK/setuid"
        uncounted 'setuid' setuid 0 sh -c "$WORK/setuid; true"
fi

note "a malloc of its own in the executable"
cat >"$WORK/own.c" <<'END'
#include <stddef.h>
static char heap[1 << 20] __attribute__((aligned(16)));
static size_t used;
__attribute__((visibility("default"))) void *malloc(size_t size) {
        void *p = heap + used;

        used += (size + 15) & ~(size_t)15;
        return used < sizeof(heap) ? p : NULL;
}
__attribute__((visibility("default"))) void free(void *p) {
        (void)p;
}
int main(void) {
        char *volatile p = malloc(100);

        free(p);
        return 9;
}
END
cc -O1 -fno-builtin -rdynamic -o "$WORK/own" "$WORK/own.c"
uncounted 'nothing: .*malloc of its own' own 9 "$WORK/own"

note "a sanitizer's allocator, which ends a program that it does not come first in"
for sanitizer in address thread leak; do
        cc -O1 "-fsanitize=$sanitizer" -o "$WORK/$sanitizer" "$WORK/plain.c" 2>/dev/null || continue
        # Where it has no library, or does not work on this kernel, there is nothing to see.
        readelf -d "$WORK/$sanitizer" | grep -q 'NEEDED.*san\.so' && "$WORK/$sanitizer" || [ $? = 9 ] || continue
        uncounted 'sanitizer' "$sanitizer" 9 "$WORK/$sanitizer"
        uncounted 'sanitizer' "$sanitizer" 0 sh -c "$WORK/$sanitizer; [ \$? = 9 ]"
        uncounted 'sanitizer' "$sanitizer" 9 env "$WORK/$sanitizer"
        printf '#!%s\n' "$WORK/$sanitizer" >"$WORK/script_$sanitizer"
        chmod +x "$WORK/script_$sanitizer"
        uncounted 'sanitizer' "script_$sanitizer" 9 sh -c "exec $WORK/script_$sanitizer"
        # Whichever function starts it.
        for function in execv execve execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp; do
                expect_status 9 env LD_PRELOAD="$PRELOAD" "$PROGRAMS/malloc_exec" "$function" "$WORK/$sanitizer"
        done
        note "$sanitizer"
done

note "a script is its interpreter"
printf '#!/bin/sh\nexit 6\n' >"$WORK/script"
chmod +x "$WORK/script"
status=0
"$CTL" --json=short run -o "$WORK/report" -- "$WORK/script" || status=$?
expect "status" "$status" 6
expect "rows" "$(jq '.processes | length' "$WORK/report")" 1
expect "a counted row" "$(jq '.processes[0].alloc_count > 0' "$WORK/report")" true

note "a counted row says by what"
"$CTL" --json=short run -o "$WORK/report" -- "$WORK/plain" || true
expect "counting" "$(jq -r '.processes[0].counting' "$WORK/report")" libspanalloc-malloc
expect "complete" "$(jq .complete "$WORK/report")" true
pass
