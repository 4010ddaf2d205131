#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: mutants.sh DIR NAME=OPTIONS…  The oracle must notice each model_mutant_NAME in DIR.
dir=$1
shift
status=0
for mutant in "$@"; do
        name=${mutant%%=*}
        # shellcheck disable=SC2086 # several options
        said=$("$dir/model_mutant_$name" --actions 300000 --quick --hazards 0 ${mutant#*=} 2>&1)
        if echo "$said" | grep -q '^seed .* fails:'; then
                echo "$name: $(echo "$said" | sed -n '3,4p' | tr '\n' ' ')"
        else
                echo "$name: NOT CAUGHT"
                echo "$said" | head -n 3
                status=1
        fi
done
exit $status
