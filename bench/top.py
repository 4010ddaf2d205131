# SPDX-License-Identifier: MIT
"""What a running `top` costs, in a terminal of 40 lines.

usage: top.py COLLECTOR-PID SECONDS SPANALLOCCTL ARGUMENTS...     prints "NAME VALUE" lines: percent of a core, for both
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

sys.dont_write_bytecode = True
import ask

collector, seconds, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
top, terminal = pty.fork()
if top == 0:
    os.environ["TERM"] = "xterm"
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))
    os.execv(command[0], command)


def read_for(seconds):
    end, shown = time.monotonic() + seconds, 0
    while (left := end - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            shown += len(os.read(terminal, 65536))
    return shown


if not read_for(2.5):
    sys.exit("top.py: top has shown nothing")
before = ask.cpu_ns(collector), ask.cpu_ns(top)
begun = time.monotonic()
read_for(seconds)
ns = (time.monotonic() - begun) * 1e9
print("top_collector_percent %.3f" % (100 * (ask.cpu_ns(collector) - before[0]) / ns))
print("top_percent %.3f" % (100 * (ask.cpu_ns(top) - before[1]) / ns))
os.kill(top, signal.SIGTERM)
