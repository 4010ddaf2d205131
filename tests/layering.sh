#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: layering.sh [--order FOLDER]
# Holds the tree to its own rules: which folder may include what, that no two modules of a folder need each other, which
# dependency lives where, and that every ordering label has two ends and a line in docs/memory-model.md, and names functions
# that carry it.  With --order it prints in which order to read a folder: each module after those that it includes.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit

bad=0
work=$(mktemp)
trap 'rm -f "$work"' EXIT
complain() {
        echo "layering: $*"
        bad=$((bad + 1))
}

# includes FOLDER: "file:include" for each, quotes and brackets kept.
includes() {
        grep -rHoE --include='*.[ch]' '^#[ ]*include [<"][^>"]+[>"]' "$1" 2>/dev/null | sed -E 's/:#[ ]*include /:/'
}

# may_quote FOLDER REGEX: what the files of a whole tree may include by "path".
may_quote() {
        local line
        while read -r line; do
                complain "${line%%:*} includes ${line#*:}; $1 may not"
        done < <(includes "$1" | grep ':"' | grep -vE ":\"($2)")
}

# lives_in WHAT REGEX HOME-REGEX: the files that may include <…>.
lives_in() {
        local line
        while read -r line; do
                complain "${line%%:*} includes ${line#*:}; the home of $1 is elsewhere"
        done < <(includes . | sed 's|^\./||' | grep -E ":[<\"]$2" | grep -vE "^($3)" | grep -vE '^(build|tests)[/-]')
}

# room FOLDER PREFIX…: what the sources of one folder may include by "path", beside each other.  Rooms on the
# collector's side may include base/ too.
room() {
        local folder=$1 prefix line
        local allowed=(-e ":\"$folder/[a-z_0-9]*\.h\"\$")
        shift
        case $folder in
        daemon/* | query | ctl/*) set -- base/ "$@" ;;
        esac
        for prefix in "$@"; do
                allowed+=(-e ":\"$prefix")
        done
        [ -d "$folder" ] || complain "there is no $folder"
        while read -r line; do
                complain "${line%%:*} includes ${line#*:}; $folder may not"
        done < <(includes "$folder" | grep "^$folder/[a-z_0-9]*\.[ch]:\"" | grep -v "${allowed[@]}")
}
host='daemon/host/'
books='daemon/books/ daemon/arena/'
wire='daemon/wire/'

room base
room shm
room client/gate client/include/ shm/
room client/segment client/gate/ shm/
room client/lanes client/segment/ client/gate/ shm/
room client/process client/lanes/ client/segment/ client/gate/ shm/
room client/calls client/process/ client/lanes/ client/segment/ client/gate/ shm/
room client/malloc client/process/ client/segment/ client/gate/ shm/
room daemon/wire
room daemon/host shm/
room daemon/loop shm/ $host
room daemon/arena shm/
room daemon/books daemon/arena/ shm/
room daemon/books/rows $books shm/
room daemon/attribution $books shm/
room daemon/drain daemon/attribution/ $books $host shm/
room daemon/processes daemon/drain/ daemon/loop/ $books $host shm/
room daemon/collector daemon/processes/ daemon/drain/ daemon/loop/ $books $host shm/
room daemon/query daemon/collector/ daemon/processes/ daemon/loop/ $wire $books $host
room daemon/spanallocd daemon/query/ daemon/collector/ daemon/loop/ $books $host shm/
room query $wire
room ctl/options $wire
room ctl/rows ctl/options/ query/ $wire
room ctl/output ctl/options/ ctl/rows/ query/ $wire
room ctl/session ctl/output/ ctl/options/ ctl/rows/ query/ $wire
room ctl/model ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/
room ctl/pages ctl/model/ ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/
room ctl/top ctl/pages/ ctl/model/ ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/
room ctl/run ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/ daemon/query/ daemon/collector/ daemon/loop/ $host
room ctl/unit ctl/run/ ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/
room ctl/verbs ctl/unit/ ctl/run/ ctl/top/ ctl/model/ ctl/session/ ctl/output/ ctl/options/ ctl/rows/ query/ daemon/host/
may_quote docs/man 'ctl/|daemon/'
may_quote examples '[a-z_]+\.h'
may_quote tests/integration/programs 'x^'

# Within a room no two modules need each other, by whatever way round.  A module is the files of one basename.
# modules FOLDER: "upper lower" for each module that includes another.
modules() {
        includes "$1" | sed -nE "s|^$1/([a-z_0-9]+)\\.[ch]:\"$1/([a-z_0-9]+)\\.h\"\$|\1 \2|p" | awk '$1 != $2' | sort -u
}
# A circle is named once; then one that reads a room from its first module to its last meets nothing that it does not know.
room_order() {
        modules "$1" | tsort 2>/dev/null | tac | paste -sd ' '
}
no_circle() {
        local folder loop
        for folder in "$@"; do
                loop=$(modules "$folder" | tsort 2>&1 >/dev/null | sed -n 's/^tsort: \([a-z_0-9]*\)$/\1/p' | paste -sd ' ')
                [ -z "$loop" ] || complain "$folder has a circle: $loop"
        done
}
if [ "${1-}" = --order ]; then # --order FOLDER: the order in which to read it
        room_order "${2:?}"
        exit
fi
no_circle shm client/{gate,segment,lanes,process,calls,malloc} daemon/{host,wire,attribution,spanallocd} ctl/{run,verbs}

# Above the rooms of ctl there is the start only.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; ctl/ itself may not"
done < <(includes ctl | grep -E '^ctl/[a-z_]+\.[ch]:"' | grep -vE ':"(ctl/|query/|base/)')

# Only the client, the examples, benchmarks and tests include the public header.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; the collector's side does not know the client"
done < <({ includes base; includes shm; includes daemon; includes query; includes ctl; } | grep 'spanalloc/spanalloc\.h')

# shm and base know libc only.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; ${line%%/*} knows libc only"
done < <({ includes shm; includes base; } | grep ':<' |
        grep -vE ':<((sys|linux|bits|asm)/[a-z_0-9]+|[a-z]*int[a-z]*|std[a-z]+|string|errno|fcntl|unistd|pthread|signal|limits|assert|time)\.h>')

lives_in liburing 'liburing\.h' 'daemon/loop/reactor_uring\.c:'
lives_in msgpack 'msgpack(\.h|/)' 'daemon/wire/'
lives_in json-c 'json-c/' 'ctl/output/json[a-z_]*\.[ch]:'
lives_in libsmartcols 'libsmartcols' 'ctl/output/render[a-z_]*\.[ch]:'
lives_in ncurses '(ncurses[a-z]*/)?n?curses\.h' 'ctl/top/top_(screen|terminal)\.c:'
lives_in inih 'ini\.h' 'daemon/spanallocd/config[a-z_]*\.[ch]:'
lives_in libsystemd 'systemd/' 'daemon/spanallocd/[a-z_]+\.c:|ctl/unit/unit_(look\.c|bus\.c|connection\.h):'
lives_in uthash 'ut(hash|list|array|string)\.h' 'daemon/'
lives_in sqlite 'sqlite3\.h' 'examples/'
lives_in zlib 'zlib\.h' 'examples/'

# One home means one: a library that the whole of a folder may use is still used in few files.
for one in 'liburing\.h 1' 'json-c/ 2' 'libsmartcols 3' '(ncurses[a-z]*/)?n?curses\.h 3' 'ini\.h 1'; do
        files=$({ includes daemon; includes ctl; } | grep -E ":[<\"]${one% *}" | cut -d: -f1 | sort -u | wc -l)
        [ "$files" -le "${one#* }" ] || complain "$files files include ${one% *}"
done

# A system call of the client after its start goes through sa_call(), which a quiet process does not pass.  The handshake
# and the unmapping lie in one bracket with blocked signals; segment_map.c, slots.c and target.c in a bracket of their own or
# their callers'; the settings and library.c's madvise() are of the start.
calls='syscall|socket|connect|accept|bind|sendto|sendmsg|send|recvmsg|recv|ppoll|poll|read|write|pread|open|openat|close|mmap'
calls+='|munmap|mprotect|madvise|mremap|prctl|gettid|getpid|geteuid|nanosleep|usleep|sched_yield|access|stat|fstat|readlink'
calls+='|getcwd|fcntl|ioctl|pthread_sigmask|sigprocmask|sigaction|futex|fork|vfork|clone|pthread_create|pthread_(get|set)name_np'
while read -r line; do
        complain "$line: a system call that does not go through sa_call()"
done < <(grep -nE "(^|[^a-z_>.])($calls)\(" client/*/*.c | grep -vE '^[^:]*:[0-9]*:( *\*| */\*)|"' |
        grep -vE '^client/[a-z]*/(handshake|settings|interposed|quiet_process|segment_map|slots|target)\.c:|^client/segment/attachments\.c:[0-9]+: *munmap\(' |
        grep -vE '^client/process/library\.c:[0-9]+:.*madvise\(&sa_gate_page|^client/malloc/exec\.c:[0-9]+:EXPORT ')

# Attribution and the books are pure: no clock, no log, no system call but those that make the arena.
while read -r line; do
        complain "${line%%:*} includes ${line#*:}; it is to be pure"
done < <({ includes daemon/attribution; includes daemon/books; } | grep -vE '^daemon/(arena/arena[a-z_]*|books/(arena[a-z_]*|books))\.c:' |
        grep -E '<(sys/[^t]|linux/|unistd|time|poll|signal|pthread|fcntl|systemd/)|"base/(clock|files)\.h')

# complain_of WHAT: a complaint for each line "file:number:text" of the input.
complain_of() {
        local line
        while read -r line; do
                complain "$(cut -d: -f1,2 <<<"$line"): $1"
        done
}

# books_layout.h is private to the books; batch.h and the records are for those who write them; the fields of struct books
# are touched by the books alone.
{ includes daemon; includes query; includes ctl; } | sed 's/:"/:0:"/' >"$work"
complain_of 'books_layout.h is private to daemon/books' < <(grep 'books/books_layout\.h' "$work" | grep -v '^daemon/books/')
complain_of 'only attribution and the drain write books' < <(
        grep -E 'daemon/books/(batch|lane|tally|names|thread_names|open_spans|span_time|last_open|hist)\.h' "$work" |
                grep -vE '^daemon/(books|attribution|drain)/')
complain_of 'only daemon/books touches the fields of struct books' < <(
        grep -rnE --include='*.[ch]' '\<books->[a-z]' daemon/attribution daemon/drain | grep -vE ':[ ]*(/?\*|#)')

# The mapping of a segment is read by segment_reader alone; ring.h and layout.h have the helpers for it.
complain_of 'only daemon/drain/segment_reader.{c,h} read a segment' < <(
        grep -rnE --include='*.[ch]' \
                'reader(\.|->)map\>|struct shm_(header|lane|name|path|past)\>|\<shm_(names|paths|closes|lane_at|ring_at|load[a-z_]*|owner_word) ?\(|\<ring_[a-z]+\(|->(lanes_claimed|closes_posted)\>' \
                daemon | grep -vE '^daemon/drain/segment_reader\.[ch]:' | grep -vE ':[ ]*(/?\*|#)')

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

# Each function that a label "pairs with" carries the label, too: "[R2] acquire of `tail`, pairs with … in ring_release()".
# partners FILE…: one line for each function without its label.
partners() {
        awk '
                # The function that begins here, or whose comment this was.
                /^[a-zA-Z_].*[a-zA-Z_0-9]\(/ && !/;[ \t]*$/ && !/^#/ && !/^_Static/ {
                        name = $0
                        sub(/\(.*/, "", name)
                        sub(/.*[^a-zA-Z_0-9]/, "", name)
                        for (label in before)
                                carries[label, name] = 1
                        split("", before)
                }
                /^}/ { name = "" }
                /^#define [A-Z]/ { # what a macro carries is the function'"'"'s of its name, which uses it
                        macro = tolower($2)
                        sub(/\(.*/, "", macro)
                        if (match($0, /\[[A-Z][A-Z]?[0-9][0-9]?\]/))
                                carries[substr($0, RSTART + 1, RLENGTH - 2), macro] = 1
                }
                /\/\*/ && !open { text = ""; open = 1; at = FILENAME ":" FNR }
                open { line = $0; sub(/^[ \t]*\*[ \t]/, "", line); text = text " " line }
                open && /\*\// {
                        open = 0
                        labels = ""
                        for (rest = text; match(rest, /\[[A-Z][A-Z]?[0-9][0-9]?\]/); rest = substr(rest, RSTART + RLENGTH))
                                labels = labels " " substr(rest, RSTART + 1, RLENGTH - 2)
                        while (match(text, /\[[A-Z][A-Z]?[0-9][0-9]?\]/)) {
                                label = substr(text, RSTART + 1, RLENGTH - 2)
                                text = substr(text, RSTART + RLENGTH)
                                if (name == "")
                                        before[label] = 1
                                else
                                        carries[label, name] = 1
                                sentence = text
                                sub(/\. .*|\.$|: .*/, "", sentence)
                                if (!sub(/.*pairs with/, "", sentence))
                                        continue
                                while (match(sentence, /[a-z_0-9]+\(\)/)) {
                                        partner = substr(sentence, RSTART, RLENGTH - 2)
                                        sentence = substr(sentence, RSTART + RLENGTH)
                                        wants[at, labels, partner] = at " [" label "] pairs with " partner "(), which does not carry it"
                                }
                        }
                }
                END {
                        for (key in wants) {
                                split(key, part, SUBSEP)
                                found = 0
                                n = split(part[2], one, " ") # a comment may have two labels, and a partner for each
                                for (i = 1; i <= n; i++)
                                        if ((one[i], part[3]) in carries)
                                                found = 1
                                if (!found)
                                        print wants[key]
                        }
                }' "$@"
}
while read -r line; do
        complain "$line"
done < <(find shm client daemon -name '*.[ch]' | sort | { mapfile -t files; partners "${files[@]}"; })

# Functions that the documents and the models' opening comments name are there.
declare -A there
while read -r name; do
        there[$name]=1
done < <(grep -rhoE --include='*.[ch]' '\b[a-zA-Z_0-9]+\(([^)]|$)' shm client daemon query ctl | tr -d ')' | sed 's/(.*//' | sort -u)
while IFS=: read -r file name; do
        [ -n "${there[$name]-}" ] || complain "$file names $name(), which does not exist"
done < <({
        grep -oE '`[a-z_0-9]+\(\)`' "$model" docs/architecture.md docs/shm-format.md | tr -d '`()'
        for file in tests/model/*.pml; do
                sed '/^ \*\/$/q' "$file" | grep -oE '\b[a-z_0-9]+\(\)' | sed "s|^|$file:|; s|()\$||"
        done
} | sort -u)

[ "$bad" = 0 ] && echo "layering: ok"
[ "$bad" = 0 ]
