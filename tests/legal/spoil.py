# SPDX-License-Identifier: MIT
"""Makes the files of a cell in which all is well, spoils them, and expects check.py to say how.

usage: spoil.py CHECK DIR
"""
import json
import os
import struct
import subprocess
import sys

ENTRY = struct.Struct("<iiQQQQQQQQQiiQQQQQ")
COUNTERS = ("alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes")
check, directory = sys.argv[1:3]


def entry(pid, is_child=0, after=10, nested=0, errno_changed=0, attach_error=0, locked=0, done=1, blocks=50,
          refused_threads=0):
    return ENTRY.pack(pid, is_child, blocks, blocks * 10, blocks, blocks * 10, 5, after, after * 100, 1, errno_changed, 1,
                      attach_error, 1, nested, refused_threads, locked, done)


def good():
    row = {"pid": 7, "balanced": True, "ended": "exited 0", "counting": "libspanalloc-malloc", "refused": 0}
    for c in COUNTERS:
        row[c] = 500 if c.endswith("bytes") else 50
        row.update({f"self_{c}": row[c], f"outside_{c}": 0, f"lost_{c}": 0, f"before_{c}": 0})
    return {
        "plain.call.out": "worked\n", "plain.call.status": "0\n", "plain.call.ledger": [entry(1)],
        "call.0.out": "worked\n", "call.0.ledger": [entry(7)],
        "call.0.step": "ready\nworked\nend exit 0 inside 1 beyond 0 longest 9\n",
        "ps.json": {"processes": [row]}, "alive.json": {"processes": [row]}, "doctor": "[ ok ] all\n",
        "spans.json": {"spans": [{"pid": 7, "span": "after", "opened": 10, "closed": 10, "self_alloc_bytes": 1000}]},
    }


def spoil(kind, name, change):
    files = good()
    files[name] = change(files[name])
    return kind, files


def row_with(**fields):
    return lambda document: {"processes": [dict(document["processes"][0], **fields)]}


def span_with(**fields):
    return lambda document: {"spans": [dict(document["spans"][0], **fields)]}


cases = [
    ("", good()),
    spoil("plain", "plain.call.status", lambda _: "139\n"),
    spoil("end", "call.0.step", lambda text: text.replace("exit 0", "signal 31")),
    spoil("end", "call.0.step", lambda text: text.replace("exit 0", "exit 1")),
    spoil("end", "call.0.step", lambda text: text.replace("exit 0", "hang 0")),
    spoil("end", "call.0.step", lambda _: "ready\n"),
    spoil("output", "call.0.out", lambda text: text + "the child ended with 11\n"),
    spoil("processes", "call.0.ledger", lambda entries: entries + [entry(7, 1, 0)]),
    spoil("unfinished", "call.0.ledger", lambda _: [entry(7, done=0)]),
    spoil("errno", "call.0.ledger", lambda _: [entry(7, errno_changed=1)]),
    spoil("nested", "call.0.ledger", lambda _: [entry(7, nested=100)]),
    spoil("locked", "call.0.ledger", lambda _: [entry(7, locked=145540)]),
    spoil("balance", "ps.json", row_with(balanced=False)),
    spoil("balance", "ps.json", row_with(self_dealloc_bytes=499)),
    spoil("expelled", "ps.json", row_with(ended="expelled: its head moved back")),
    spoil("false", "ps.json", row_with(counting="nothing: libspanalloc-malloc is not loaded")),
    spoil("too much", "spans.json", span_with(opened=11)),
    spoil("silent", "spans.json", span_with(opened=9, closed=9)),
    spoil("silent", "spans.json", span_with(self_alloc_bytes=999)),
    spoil("silent", "spans.json", lambda _: {"spans": []}),
    spoil("silent", "ps.json", lambda _: {"processes": []}),
    spoil("sums", "call.0.ledger", lambda _: [entry(7, blocks=51)]),
    spoil("sums", "call.0.ledger", lambda _: [entry(7, blocks=49)]),
    spoil("inside", "call.0.step", lambda text: text.replace("inside 1", "inside 0")),
]
# What is missing is all right where a user is told.
told = [
    spoil("", "spans.json", lambda _: {"spans": []}),
    spoil("", "spans.json", lambda _: {"spans": []}),
    spoil("", "spans.json", lambda _: {"spans": []}),
    spoil("", "spans.json", lambda _: {"spans": []}),
]
told[0][1]["call.0.ledger"] = [entry(7, attach_error=-2)]
told[3][1]["call.0.ledger"] = [entry(7, refused_threads=1)]
told[1][1]["doctor"] = "[warn] process   legal[7]: in a seccomp filter\n"
told[2][1]["ps.json"] = row_with(counting="nothing: in a seccomp filter")(told[2][1]["ps.json"])
empty = good()
del empty["call.0.step"]

for number, (kind, files) in enumerate(cases + told + [("runs", empty)]):
    cell = os.path.join(directory, str(number))
    os.mkdir(cell)
    for name, content in files.items():
        if isinstance(content, list):
            content = struct.pack("<II", len(content), 0) + b"".join(content)
        elif isinstance(content, dict):
            content = json.dumps(content).encode()
        else:
            content = content.encode()
        with open(os.path.join(cell, name), "wb") as f:
            f.write(content)
    result = subprocess.run([sys.executable, check, cell, "fork", "attached", "call"], capture_output=True, text=True,
                            check=False)
    found = {line.strip().split(" (")[0] for line in result.stdout.splitlines()[1:]}
    if (result.returncode, kind in found) != ((1, True) if kind else (0, False)):
        sys.exit(f"case {number} ({kind or 'good'}): ended with {result.returncode}: {result.stdout}{result.stderr}")
    if not kind and found:
        sys.exit(f"case {number}: {result.stdout}")
print(f"{len(cases) + len(told) + 1} cases")
