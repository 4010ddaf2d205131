# SPDX-License-Identifier: MIT
"""Asks a collector as a program would, and says how long an answer takes.

usage: ask.py SOCKET PID TIMES     prints "NAME VALUE" lines: ms from a request to the last byte of its answer, and ms of the
                                   collector's processor time, medians, for all columns of `spans` and for those of top
"""
import os
import socket
import statistics
import struct
import sys
import time

TOP = "process,span,alloc_count,alloc_bytes,net_bytes,open,closed,quality,key,path"


def text(value):
    data = value.encode()
    return b"\xda" + struct.pack(">H", len(data)) + data


class Asker:
    """As little of docs/query-protocol.md as is needed to ask and to see how long an answer takes."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.ask("hello", protocol=1)

    def ask(self, method, **params):
        message = b"\x94\x00\x01" + text(method) + bytes([0x80 + len(params)])
        for key, value in params.items():
            message += text(key) + (bytes([value]) if isinstance(value, int) else text(value))
        self.socket.sendall(struct.pack("<I", len(message)) + message)
        left, = struct.unpack("<I", self.take(4))
        return self.take(left)

    def take(self, n):
        data = bytearray()
        while len(data) < n:
            part = self.socket.recv(min(n - len(data), 1 << 20))
            if not part:
                sys.exit("growth: the collector closed the connection")
            data += part
        return data


def cpu_ns(pid):
    """By the scheduler's clock, of all threads."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat") as file:
            total += int(file.read().split()[0])
    return total


def median_ms(pid, fn, times):
    """Of processor time."""
    took = []
    for _ in range(times):
        begun = cpu_ns(pid)
        fn()
        took.append((cpu_ns(pid) - begun) / 1e6)
    return statistics.median(took)


def elapsed_ms(fn, times):
    took = []
    for _ in range(times):
        begun = time.perf_counter()
        fn()
        took.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(took)


def main():
    asker, pid, times = Asker(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    for name, params in (("spans", {"sort": "-alloc_bytes"}), ("top", {"columns": TOP})):
        print(name + "_answer_ms %.2f" % elapsed_ms(lambda: asker.ask("spans", **params), times))
        print(name + "_collector_ms %.2f" % median_ms(pid, lambda: asker.ask("spans", **params), times))


if __name__ == "__main__":
    main()
