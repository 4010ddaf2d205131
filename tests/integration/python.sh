#!/bin/bash
# SPDX-License-Identifier: MIT
# The example for Python in a real one: importing it starts no program; a coroutine under asyncio is charged for its own steps,
# and for nothing that other tasks do between them.
. "$(dirname "$0")/../support/lib.sh"
need jq python3

start_collector
export PYTHONPATH=$SOURCE/examples/python PYTHONDONTWRITEBYTECODE=1 PYTHONMALLOC=malloc SPANALLOC_LIBRARY=$LIBSPANALLOC

note "importing it"
cat >"$WORK/import.py" <<'END'
import sys
events = []
sys.addaudithook(lambda event, arguments: events.append(event))
import spanalloc
started = [e for e in events if e in ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.exec", "os.system")]
print("ctypes.dlopen" in events, started)
END
expect "programs that the import starts" "$(python3 "$WORK/import.py")" "True []"

note "a task in a span, beside one that is in none"
cat >"$WORK/tasks.py" <<'END'
import asyncio, sys
import spanalloc

async def mine():
    kept = 0
    for _ in range(20):
        kept += len(bytearray(50_000))
        with spanalloc.span("inner"):
            kept += len(bytearray(10_000))
        await asyncio.sleep(0)
    return kept

async def other():
    for _ in range(20):
        bytearray(1_000_000)
        await asyncio.sleep(0)

async def with_block():
    with spanalloc.span("wrong"):
        await mine()

async def fails():
    bytearray(70_000)
    await asyncio.sleep(0)
    raise ValueError("as it should")

async def sleeps():
    try:
        await asyncio.sleep(3600)
    finally:
        bytearray(80_000)

async def main():
    kept, _ = await asyncio.gather(spanalloc.span("mine").around(mine()), other())
    assert kept == 20 * 60_000
    await asyncio.gather(with_block(), other())
    try:
        await spanalloc.span("fails").around(fails())
        raise AssertionError("no error")
    except ValueError as error:
        assert str(error) == "as it should"
    async def task():
        await spanalloc.span("cancelled").around(sleeps())
    sleeper = asyncio.create_task(task())
    await asyncio.sleep(0)
    sleeper.cancel()
    try:
        await sleeper
        raise AssertionError("not cancelled")
    except asyncio.CancelledError:
        pass
    # Closed in the middle, as at the end of a loop.
    left = spanalloc.span("left").around(sleeps()).__await__()
    next(left)
    left.close()

asyncio.run(main())
print("ready", flush=True)
sys.stdin.read()
END
mkfifo "$WORK/in"
exec 8<>"$WORK/in"
LD_PRELOAD=$PRELOAD python3 "$WORK/tasks.py" <"$WORK/in" >"$WORK/out.tasks" &
program=$!
wait_for "the tasks" grep -q ready "$WORK/out.tasks"

# between NAME LEAST MOST: bytes allocated in the spans of that name, children included
between() {
        local bytes
        bytes=$(span_field "$program" "$1" alloc_bytes)
        [ "$bytes" -ge "$2" ] && [ "$bytes" -le "$3" ] || fail "$1 has $bytes bytes, not $2 to $3"
}
between mine 1200000 1900000
between fails 70000 400000
between cancelled 80000 400000
between left 80000 400000
between wrong 20000000 30000000 # what a with block around an await is charged for
expect "each is opened and closed" "$(json "[.spans[] | select(.pid == $program and .span != \"inner\" and .thread == \"\") | [.opened, .closed, .open]] |
        unique | tojson" spans)" '[[1,1,0]]'
expect "children of a step" "$(span_field "$program" inner closed)" 40
expect "its cycles: one for each step" "$(span_field "$program" mine cycles)" 21
json_true "the path" ".tree[] | select(.pid == $program and .path == \"mine/inner\") | .closed == 20" tree
pass
