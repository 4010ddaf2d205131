#!/bin/bash
# SPDX-License-Identifier: MIT
# Each function of the exec and spawn family, between vfork and exec, to a program whose environment names no preload:
# it runs as it would, and `run` has a row for it that says why it was not counted.
. "$(dirname "$0")/../support/lib.sh"
need jq cc

cat >"$WORK/target.c" <<'END'
#include <string.h>
int main(int argc, char **argv) {
        return argc == 3 && !strcmp(argv[0], "malloc_exec_target") && !strcmp(argv[1], "one") && !strcmp(argv[2], "two") ? 42 : 1;
}
END
cc -O1 -o "$WORK/target" "$WORK/target.c"

for function in execve execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp; do
        expect_status 42 "$PROGRAMS/malloc_exec" "$function" "$WORK/target"
        expect_status 42 env LD_PRELOAD="$PRELOAD" "$PROGRAMS/malloc_exec" "$function" "$WORK/target"
        expect_status 42 "$CTL" run --json=short -o "$WORK/report" -- "$PROGRAMS/malloc_exec" "$function" "$WORK/target"
        row=$(jq -c '[.processes[] | select(.comm == "target")]' "$WORK/report")
        expect "rows of the target after $function" "$(jq length <<<"$row")" 1
        expect_match "why it was not counted" "$(jq -r '.[0].counting' <<<"$row")" 'environment'
        note "$function: $(jq -r '.[0].counting' <<<"$row")"
done
pass
