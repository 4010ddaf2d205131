#!/bin/bash
# SPDX-License-Identifier: MIT
# An independent judge: what `run` counts for jq, sqlite3, xmllint and python3 on real-sized input must be valgrind's
# "total heap usage: N allocs, M frees", to the call.  docs/judge.md says what it takes for the two to see one and the
# same run of a program.
#
# Timeout: 1800
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"
need jq sqlite3 xmllint valgrind awk
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || skip "there is no $PYTHON"

# Debian's valgrind is a script that adds variables to the environment.
VALGRIND=$(command -v valgrind.bin || command -v valgrind)

# Each in a directory of its own: python lists the one that its program is in.
mkdir "$WORK/in" "$WORK/in/python" "$WORK/home" "$WORK/runtime"
awk 'BEGIN {
        printf "["
        for (i = 0; i < 20000; i++)
                printf "%s{\"id\":%d,\"user\":\"user%d\",\"tags\":[\"t%d\",\"t%d\"],\"sum\":%.3f,\"nested\":{\"k\":null}}\n",
                        (i ? "," : ""), i, i * 7919 % 9973, i % 11, i % 101, i / 7
        print "]"
}' >"$WORK/in/data.json"
awk 'BEGIN {
        print "<log>"
        for (i = 0; i < 60000; i++)
                printf "<entry id=\"%d\"><user>user%d</user><text>some text &amp; number %d</text></entry>\n",
                        i, i * 7919 % 9973, i
        print "</log>"
}' >"$WORK/in/data.xml"
cat >"$WORK/in/data.sql" <<'SQL'
create table entry(id integer primary key, user text, body text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 60000)
        insert into entry select i, 'user' || (i * 7919 % 9973), printf('word%d common word%d', i % 997, i % 89) from n;
create index by_user on entry(user);
create virtual table words using fts5(body, content='entry', content_rowid='id');
insert into words(words) values('rebuild');
select user, count(*), max(length(body)) from entry group by user order by 2 desc, 1 limit 20;
select count(*) from words where words match 'common AND word7*';
select json_group_array(json_object('id', id, 'user', user)) from entry where id % 10 = 0;
select sum(length(printf('%2000d', id) || user)) from entry;
SQL
cat >"$WORK/in/python/work.py" <<'PY'
import json
state = 1
def number(limit):
    global state
    state = (state * 1103515245 + 12345) % 2147483648
    return state % limit
rows = [{"id": i, "user": "user%d" % number(9999), "tags": ["t%d" % number(500) for _ in range(number(6))],
         "sum": number(10**6) / 7, "nested": {"square": i * i, "none": None}} for i in range(8000)]
for _ in range(2):
    rows = json.loads(json.dumps(rows))
count = {}
for row in rows:
    for tag in row["tags"]:
        count[tag] = count.get(tag, 0) + 1
print(len(rows), sorted(count.items()))
PY

# One environment for both, by number and by name: what `run` adds to it, the judge's programs get too.
COMMON=(PATH=/usr/bin:/bin "HOME=$WORK/home" LC_ALL=C "XDG_RUNTIME_DIR=$WORK/runtime"
        PYTHONMALLOC=malloc PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1)
# What says of the filter of no_io_uring that it does not kill.
[ -z "${SPANALLOC_SECCOMP:-}" ] || COMMON+=("SPANALLOC_SECCOMP=$SPANALLOC_SECCOMP")
mapfile -t ADDED < <(env -i "${COMMON[@]}" "$CTL" run -o /dev/null -- /usr/bin/env |
        grep '^SPANALLOC' | grep -v '^SPANALLOC_SECCOMP=' || true)
note "run adds to the environment: LD_PRELOAD ${ADDED[*]%%=*}"

differing=0

# judge NAME STDIN COMMAND…
judge() {
        local name=$1 stdin=$2 counted judged
        shift 2
        env -i "${COMMON[@]}" "$CTL" run --json=short -o "$WORK/$name.json" -- "$@" \
                <"$stdin" >"$WORK/$name.counted" 2>/dev/null || fail "$name under run ended with $?"
        env -i "${COMMON[@]}" "${ADDED[@]}" "$VALGRIND" --run-libc-freeres=no --run-cxx-freeres=no --vgdb=no \
                --log-file="$WORK/$name.valgrind" "$@" \
                <"$stdin" >"$WORK/$name.judged" 2>/dev/null || fail "$name under valgrind ended with $?"
        cmp "$WORK/$name.counted" "$WORK/$name.judged" || fail "$name: two runs with different output"
        expect "$name: processes in the report" "$(jq '.processes | length' "$WORK/$name.json")" 1
        expect "$name: counted by" "$(jq -r '.processes[0].counting' "$WORK/$name.json")" libspanalloc-malloc

        counted=$(jq -r '.processes[0] | "\(.alloc_count) allocs, \(.dealloc_count) frees"' "$WORK/$name.json")
        judged=$(sed -n 's/.*total heap usage: \(.* frees\),.*/\1/p' "$WORK/$name.valgrind" | tr -d ,)
        judged=${judged/ allocs / allocs, }
        note "$name: counted $counted; valgrind $judged"
        [ "$counted" = "$judged" ] || differing=$((differing + 1))
        expect_at_least "$name: a real size" "${counted%% *}" 100000
}

judge jq /dev/null jq '[.[] | {id, user, n: (.tags | length)}] | group_by(.user) | map({user: .[0].user, c: length})' \
        "$WORK/in/data.json"
judge sqlite3 "$WORK/in/data.sql" sqlite3 -batch :memory:
judge xmllint /dev/null xmllint --format "$WORK/in/data.xml"
judge python3 /dev/null "$PYTHON" "$WORK/in/python/work.py"
expect "programs whose counts differ" "$differing" 0
pass
