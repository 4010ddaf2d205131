#!/bin/bash
# SPDX-License-Identifier: MIT
# The messages of daemon/host/log.h and what systemd/spanalloc.catalog says to them: each has an id of its own and an
# explanation, nothing else is explained, and the fields that an explanation uses are fields that the log sends.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit
catalog=systemd/spanalloc.catalog
log=daemon/host/log

bad=0
complain() {
        echo "catalog: $*"
        bad=$((bad + 1))
}

messages=$(sed -nE 's/^ *X\(([A-Z_]+), [A-Z]+, "([^"]*)"\).*/\1 \2/p' $log.h)
[ "$(wc -l <<<"$messages")" -gt 10 ] || complain "$log.h cannot be read"
while read -r name id; do
        [[ $id =~ ^[0-9a-f]{32}$ ]] || complain "$name: $id is no 128 bits in hexadecimal"
        [ "$(grep -c "^-- $id\$" $catalog)" = 1 ] ||
                complain "$name ($id) of $log.h has no entry of its own in $catalog: say there what it means and what to do"
done <<<"$messages"
while read -r id; do
        complain "$id stands twice in $log.h"
done < <(cut -d ' ' -f 2 <<<"$messages" | sort | uniq -d)
while read -r id; do
        grep -q " $id\$" <<<"$messages" || complain "$id of $catalog is no message of $log.h"
done < <(sed -n 's/^-- //p' $catalog)

# An entry: the id, a header with a subject, an empty line, a text.
while read -r id; do
        complain "$id of $catalog lacks a subject or a text"
done < <(awk '/^-- / { if (id && (!subject || !text)) print id; id = $2; subject = text = header = 0; next }
        id && /^Subject: ./ { subject = 1 }
        id && /^$/ { header = 1 }
        id && header && /^[^#]/ { text = 1 }
        END { if (!subject || !text) print id }' $catalog)

while read -r field; do
        grep -q "\"$field[=\"]" $log.c || complain "$catalog uses @$field@, which $log.c does not send"
done < <(grep -oE '@[A-Z_]+@' $catalog | tr -d @ | grep -v '^NAME$' | sort -u)

[ "$bad" = 0 ] && echo "catalog: ok"
[ "$bad" = 0 ]
