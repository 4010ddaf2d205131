#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: mutants.sh DIR NAME=SCRIPT…  Each step_mutant_NAME in DIR must fail in its script, and say at which instruction.
dir=$1
shift
status=0
for mutant in "$@"; do
        name=${mutant%%=*}
        if said=$("$dir/step_mutant_$name" "${mutant#*=}" 2>&1); then
                echo "$name: NOT CAUGHT"
                status=1
        elif found=$(echo "$said" | grep -m 1 'before the instruction'); then
                echo "$name: $found"
        else
                echo "$name: failed in another way:"
                echo "$said"
                status=1
        fi
done
exit $status
