#!/bin/bash
# Holds the tree to its own rules: which folder may include what, which dependency lives where, and that every ordering
# label has two ends and a line in docs/memory-model.md.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit

bad=0
complain() {
        echo "layering: $*"
        bad=$((bad + 1))
}

# includes FOLDER: "file:include" for each, quotes and brackets kept.
includes() {
        grep -rHoE --include='*.[ch]' '^#[ ]*include [<"][^>"]+[>"]' "$1" 2>/dev/null | sed -E 's/:#[ ]*include /:/'
}

# may_quote FOLDER REGEX: what its files may include by "path".
may_quote() {
        local line
        while read -r line; do
                complain "${line%%:*} includes ${line#*:}; $1 may not"
        done < <(includes "$1" | grep ':"' | grep -vE ":\"($2)")
}

# lives_in WHAT REGEX HOME-REGEX: who may include <…>.
lives_in() {
        local line
        while read -r line; do
                complain "${line%%:*} includes ${line#*:}; the home of $1 is elsewhere"
        done < <(includes . | sed 's|^\./||' | grep -E ":[<\"]$2" | grep -vE "^($3)" | grep -vE '^(build|tests)[/-]')
}

may_quote shm 'shm/'
may_quote client 'client/|shm/'
may_quote daemon/wire 'daemon/wire/'
may_quote daemon/core 'daemon/core/|daemon/wire/|shm/'
may_quote daemon/spanallocd 'daemon/|shm/'
may_quote ctl 'ctl/|daemon/(wire|core)/'
may_quote docs/man 'ctl/|daemon/'
may_quote examples '[a-z_]+\.h'
may_quote tests/integration/programs 'x^'

# Nobody but the client, the examples, benchmarks and tests knows the public header.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; the collector's side does not know the client"
done < <({ includes shm; includes daemon; includes ctl; } | grep 'spanalloc/spanalloc\.h')

# shm knows libc only.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; shm knows libc only"
done < <(includes shm | grep ':<' |
        grep -vE ':<((sys|linux|bits|asm)/[a-z_0-9]+|[a-z]*int[a-z]*|std[a-z]+|string|errno|fcntl|unistd|pthread|signal|limits|assert|time)\.h>')

lives_in liburing 'liburing\.h' 'daemon/core/reactor_uring\.c:'
lives_in msgpack 'msgpack(\.h|/)' 'daemon/wire/'
lives_in json-c 'json-c/' 'ctl/json[a-z_]*\.[ch]:'
lives_in libsmartcols 'libsmartcols' 'ctl/(render|table)[a-z_]*\.[ch]:'
lives_in ncurses '(ncurses[a-z]*/)?n?curses\.h' 'ctl/(top|screen)[a-z_]*\.[ch]:'
lives_in inih 'ini\.h' 'daemon/spanallocd/config[a-z_]*\.[ch]:'
lives_in libsystemd 'systemd/' 'daemon/spanallocd/[a-z_]+\.c:|ctl/unit_bus\.c:'
lives_in uthash 'ut(hash|list|array|string)\.h' 'daemon/'
lives_in sqlite 'sqlite3\.h' 'examples/'
lives_in zlib 'zlib\.h' 'examples/'

# One home means one: a library that the whole of a folder may use is still used in few files.
for one in 'liburing\.h 1' 'json-c/ 2' 'libsmartcols 3' '(ncurses[a-z]*/)?n?curses\.h 3' 'ini\.h 1'; do
        files=$({ includes daemon; includes ctl; } | grep -E ":[<\"]${one% *}" | cut -d: -f1 | sort -u | wc -l)
        [ "$files" -le "${one#* }" ] || complain "$files files include ${one% *}"
done

# Frames, tallies and books are pure: no clock, no log, no system call but those that make the arena.
for file in daemon/core/frames*.[ch] daemon/core/tally*.[ch]; do
        [ -e "$file" ] || continue
        while read -r line; do
                complain "$file includes ${line#*:}; it is to be pure"
        done < <(includes "$file" | grep -E '<(sys/|linux/|unistd|time|poll|signal|pthread|stdio|fcntl|systemd/)')
done

# Ordering labels: [R2] stands at two ends at least, and in the document.
labels() {
        grep -rhE --include='*.[ch]' '(/\*|^[ \t]*\*|\*/).*\[[A-Z]{1,2}[0-9]{1,2}\]' "$@" 2>/dev/null |
                grep -oE '\[[A-Z]{1,2}[0-9]{1,2}\]' | tr -d '[]' | sort
}
model=docs/memory-model.md
[ -e "$model" ] || complain "there is no $model"
while read -r count label; do
        [ "$count" -ge 2 ] || complain "[$label] stands at one end only: $(grep -rlF --include='*.[ch]' "[$label]" \
                shm client daemon ctl | head -n 1)"
        grep -qsF "[$label]" "$model" || complain "[$label] is not in $model"
done < <(labels shm client daemon ctl | uniq -c)
while read -r label; do
        labels shm client daemon ctl | grep -qx "$label" || complain "[$label] is in $model and nowhere else"
done < <(grep -oE '\[[A-Z]{1,2}[0-9]{1,2}\]' "$model" 2>/dev/null | tr -d '[]' | sort -u)

[ "$bad" = 0 ] && echo "layering: ok"
[ "$bad" = 0 ]
