#!/bin/bash
# SPDX-License-Identifier: MIT
# Each page of docs/decisions has a context, a choice and what was rejected; and a measurement, or what would change the
# decision.  A section "Measured" that begins with "Not" is no measurement.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit

bad=0
complain() {
        echo "decisions: $*"
        bad=$((bad + 1))
}

# has PAGE HEADING
has() {
        grep -q "^## $2" "$1"
}

pages=(docs/decisions/*.md)
[ ${#pages[@]} -gt 10 ] || complain "docs/decisions has only ${#pages[@]} pages"
for page in "${pages[@]}"; do
        for heading in Context Choice Rejected; do
                has "$page" "$heading" || complain "$page has no section \"$heading\""
        done
        # The first line of text below "Measured".
        measured=$(awk '/^## /{ here = /^## Measured/; next } here && NF { print; exit }' "$page")
        [[ $measured && $measured != No[tn]* ]] || has "$page" "What would change this" ||
                complain "$page has no measurement: say below \"## What would change this\" what would change the decision"
done

[ "$bad" = 0 ] && echo "decisions: ok"
[ "$bad" = 0 ]
