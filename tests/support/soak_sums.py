# SPDX-License-Identifier: MIT
"""soak_sums.py DIRECTORY: adds up what the documents ps.N and spans.N in DIRECTORY say of processes that had ended when
they were made, each process once, and prints "processes spans alloc_count alloc_bytes dealloc_count dealloc_bytes"; then
"refused lost".  Fails when two documents differ over one process."""
import json
import os
import sys

COUNTERS = ["alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes"]
known = {}
losses = 0
for name in sorted(os.listdir(sys.argv[1])):
    if not name.startswith("ps."):
        continue
    with open(os.path.join(sys.argv[1], name)) as file:
        rows = {row["process"]: row for row in json.load(file)["processes"] if not row["alive"]}
    sums = {number: [0] * 5 for number in rows}
    with open(os.path.join(sys.argv[1], "spans." + name[3:])) as file:
        document = json.load(file)
    if not document["complete"]:
        sys.exit("soak_sums: an answer is not complete")
    for row in document["spans"]:
        if row["process"] in sums:
            for i, key in enumerate(["closed"] + ["self_" + c for c in COUNTERS]):
                sums[row["process"]][i] += row[key]
    for number, row in rows.items():
        if not any(sums[number]):
            continue  # forgotten between the two answers: an earlier document has it
        if any(row[c] != row["self_" + c] + row["outside_" + c] + row["lost_" + c] + row["before_" + c]
               for c in COUNTERS):
            sys.exit(f"soak_sums: the books of process {number} do not balance: {row}")
        if known.setdefault(number, sums[number]) != sums[number]:
            sys.exit(f"soak_sums: process {number} was {known[number]} and is {sums[number]}")
        losses += row["refused"] + row["lost_alloc_bytes"]
print(len(known), *(sum(column) for column in zip(*known.values())))
print(losses)
