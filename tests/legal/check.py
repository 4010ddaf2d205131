# SPDX-License-Identifier: MIT
"""Holds the runs of one cell against their plain twin and against the books.

usage: check.py DIR DEED STATE WHERE     prints a line per cell, and one per kind of fault; ends with 1 if there is a fault

What a run must do is what the plain run did.  What it must have in the books is what its ledger says; where a process is not
in them, a user must be told why: by `ps`, by `doctor`, or by spanalloc_stats() in the process.
"""
import collections
import glob
import json
import os
import re
import struct
import sys

ENTRY = struct.Struct("<iiQQQQQQQQQiiQQQQQ")
FIELDS = ("pid is_child alloc_count alloc_bytes dealloc_count dealloc_bytes before after after_bytes handled errno_changed "
          "attached attach_error attempts nested refused_threads locked_kib done").split()
COUNTERS = ("alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes")
COUNTED = "libspanalloc-malloc"
NOT_LOADED = "nothing: libspanalloc-malloc is not loaded"
COUNTED_LINE = "counted by libspanalloc-malloc"
INTERRUPTED = (1, 40)
LOCKED_KIB_MAX = 32768  # more than in the plain program
NESTED_PER_HANDLER = 4
# Where libc allocates in the name of the program: the ledger has less than the books.
LIBC_ALLOCATES = ("dlopen", "thread_exit", "seccomp")

directory, deed, state, where = sys.argv[1:5]
faults = collections.defaultdict(list)
example = {}


def fault(kind, run, text):
    faults[kind].append(run)
    example.setdefault(kind, f"{run}: {text}")


def read_ledger(path):
    with open(path, "rb") as f:
        data = f.read()
    used = struct.unpack_from("<I", data)[0]
    return [dict(zip(FIELDS, ENTRY.unpack_from(data, 8 + i * ENTRY.size))) for i in range(used)]


def read(name):
    with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def document(name, key):
    try:
        return json.loads(read(name))[key]
    except FileNotFoundError:
        return []


plain_out = read(f"plain.{where}.out")
plain_status = int(read(f"plain.{where}.status"))
plain_ledger = read_ledger(os.path.join(directory, f"plain.{where}.ledger"))
if plain_status != 0:
    fault("plain", "plain", f"the plain run itself ends with {plain_status}: this cell shows nothing")

has_books = state in ("attached", "restarted", "replaced", "full")
rows = collections.defaultdict(list)
for row in document("ps.json", "processes"):
    rows[row["pid"]].append(row)
alive = collections.defaultdict(list)
for row in document("alive.json", "processes"):
    alive[row["pid"]].append(row)
spans = collections.defaultdict(list)
for row in document("spans.json", "spans"):
    spans[row["pid"]].append(row)
doctor = read("doctor") if os.path.exists(os.path.join(directory, "doctor")) else ""

inside = runs = 0


def has_reason(entry):
    """Where a user is told why this process is not, or not wholly, in the books."""
    pid = entry["pid"]
    if entry["attach_error"] or entry["refused_threads"]:
        return True
    for row in rows[pid] + alive[pid]:
        if row["counting"] not in (COUNTED, NOT_LOADED) or row["refused"] > 0:
            return True
    # A line of doctor that does not only say that all is well.
    return any(re.search(rf"\b{pid}\b", line) and COUNTED_LINE not in line for line in doctor.splitlines())


def check_run(run, entries):
    step = read(f"{run}.step").split()
    end = step[step.index("end"):] if "end" in step else ["end", "none", "0"]
    if end[1:3] != ["exit", str(plain_status)]:
        said = " ".join(read(f"{run}.out").split())[-60:]
        fault("end", run, f"{end[1]} {end[2]} after '{said}', plain: exit {plain_status}")
    elif read(f"{run}.out") != plain_out:
        lines = collections.Counter(read(f"{run}.out").splitlines())
        lines.subtract(plain_out.splitlines())
        fault("output", run, "; ".join(f"{n:+} × '{line}'" for line, n in lines.items() if n))
    if len(entries) != len(plain_ledger):
        fault("processes", run, f"{len(entries)}, plain: {len(plain_ledger)}")
    unfinished = [e["pid"] for e in entries if not e["done"]]
    if len(unfinished) != sum(1 for e in plain_ledger if not e["done"]):
        fault("unfinished", run, f"{len(unfinished)} of {len(entries)} processes did not reach their end")
    if any(e["errno_changed"] for e in entries):
        fault("errno", run, f"changed {sum(e['errno_changed'] for e in entries)} times")
    # Of a handler's calls a few are nested: those of the program itself after it are not.
    nested = sum(max(0, e["nested"] - NESTED_PER_HANDLER * (e["handled"] + 1)) for e in entries)
    if nested:
        fault("nested", run, f"{nested} calls outside of handlers were taken for nested ones")
    locked = entries[0]["locked_kib"] - plain_ledger[0]["locked_kib"] if entries else 0
    if locked > LOCKED_KIB_MAX:
        fault("locked", run, f"{locked} KiB more than in the plain program are locked, at most {LOCKED_KIB_MAX} should be")
    return end[1:3] == ["exit", "0"], int(end[end.index("inside") + 1]) if "inside" in end else 0


def check_balance(run, pid):
    for row in rows[pid]:
        if not row["balanced"]:
            fault("balance", run, f"the row of {pid} is not balanced")
        for c in COUNTERS:
            parts = sum(row[f"{part}_{c}"] for part in ("self", "outside", "lost", "before"))
            if row[c] != parts:
                fault("balance", run, f"{pid}: {c} is {row[c]}, its parts {parts}")
        if row["counting"] == NOT_LOADED:
            fault("false", run, f"the row of {pid} says '{NOT_LOADED}', which it is")
        if "expelled" in str(row["ended"]):
            fault("expelled", run, f"{pid}: {row['ended']}")


def check_sums(run, pid, entries):
    """All rows of one pid, against all entries of it: exec makes two of each."""
    after = [s for s in spans[pid] if s["span"] == "after"]
    want = sum(e["after"] for e in entries if e["done"])
    have = sum(s["opened"] for s in after)
    closed = sum(s["closed"] for s in after)
    bytes_have = sum(s["self_alloc_bytes"] for s in after)
    bytes_want = sum(e["after_bytes"] for e in entries if e["done"])
    told = any(has_reason(e) for e in entries)
    if have > want or closed > want:
        fault("too much", run, f"{pid}: {have} scopes opened and {closed} closed in the books, {want} in the ledger")
    elif state == "full" or (have, closed, bytes_have) == (want, want, bytes_want):
        pass
    elif not told:
        fault("silent", run, f"{pid}: {have} scopes with {bytes_have} bytes in the books, {want} with {bytes_want} in the "
                             f"ledger, and no reason in ps, doctor or stats")
    if not rows[pid]:
        if not told:
            fault("silent", run, f"{pid} has no row, and no reason in doctor or stats")
        return
    # The process from its beginning, and a child from the fork on.
    row = rows[pid][-1]
    if len(entries) == 1 and (have == want or state == "full"):
        for c in COUNTERS:
            extra = row[c] - entries[0][c]
            # An operation that a fork came into is the parent's or the child's.
            slack = INTERRUPTED[c.endswith("bytes")] if entries[0]["is_child"] and where == "malloc" else 0
            if extra < -slack or (extra > slack and deed not in LIBC_ALLOCATES):
                fault("sums", run, f"{pid}: {c} is {row[c]} in the books, {entries[0][c]} in the ledger")


for path in sorted(glob.glob(os.path.join(directory, f"{where}.*.step"))):
    run = os.path.basename(path)[:-len(".step")]
    runs += 1
    entries = read_ledger(os.path.join(directory, f"{run}.ledger"))
    ended_well, was_inside = check_run(run, entries)
    inside += was_inside
    if not has_books:
        continue
    by_pid = collections.defaultdict(list)
    for e in entries:
        by_pid[e["pid"]].append(e)
    for pid, its in by_pid.items():
        check_balance(run, pid)
        if ended_well and all(e["done"] for e in its if e is its[-1]):
            check_sums(run, pid, its)

if runs == 0:
    fault("runs", "-", "nothing ran")
if where != "between" and state in ("attached", "restarted", "replaced") and inside == 0:
    fault("inside", "-", "no signal came inside")
print(f"{'FAILED' if faults else 'ok'} {deed} {state} {where}: {runs} runs, {inside} signals inside")
for kind, where_found in sorted(faults.items()):
    print(f"    {kind} ({len(where_found)}: {' '.join(dict.fromkeys(where_found))}): {example[kind]}")
sys.exit(1 if faults else 0)
