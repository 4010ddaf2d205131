# SPDX-License-Identifier: MIT
"""follow_times.py TIMES: reads the events of `follow` from stdin, one line each, as they come, until there are as many
"neighbour" spans as lines in the file TIMES, which its program writes when it ends; makes the file TIMES.ready when the first event of any span has come; prints how long each took from its
close to here: "N events, p50 X ms, p99 Y ms, max Z ms".  Fails when one is missing or comes out of order."""
import json
import os
import selectors
import sys
import time

arrived = []
instances = []
lines = selectors.DefaultSelector()
lines.register(sys.stdin, selectors.EVENT_READ)
buffer = b""
wanted = None
while wanted is None or len(arrived) < wanted:
    if wanted is None and os.path.exists(sys.argv[1] + ".whole"):
        times = [int(line) for line in open(sys.argv[1])]
        wanted = len(times)
        patience = time.monotonic() + 60
        continue
    if wanted is not None and time.monotonic() > patience:
        sys.exit(f"follow_times: {len(arrived)} events came of {wanted}")
    if not lines.select(0.2):
        continue
    got = os.read(0, 1 << 16)
    if not got:
        sys.exit("follow_times: the stream ended")
    now = time.time_ns()
    *whole, buffer = (buffer + got).split(b"\n")
    for line in whole:
        event = json.loads(line)
        if not os.path.exists(sys.argv[1] + ".ready"):
            open(sys.argv[1] + ".ready", "w").close()
        if event.get("span") == "neighbour":
            arrived.append(now)
            instances.append(event["instance"])
if instances != sorted(instances) or len(set(instances)) != wanted:
    sys.exit("follow_times: events came out of order, or twice")
took = sorted((a - t) / 1e6 for a, t in zip(arrived, times))
print(f"{wanted} events, p50 {took[len(took) // 2]:.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms, max {took[-1]:.1f} ms")
