# SPDX-License-Identifier: MIT
"""faults.py FILE N [LENGTH]: lets the Nth call from now fail that libfaults.so looks at; 0: none.
faults.py FILE: prints how many calls there were since, and how many of them failed."""
import struct
import sys

with open(sys.argv[1], "r+b") as file:
    if len(sys.argv) == 2:
        at, calls, failed, length = struct.unpack("4I", file.read(16))
        print(calls, failed)
    else:
        length = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        file.write(struct.pack("4I", 0, 0, 0, length))
        file.flush()
        file.seek(0)
        file.write(struct.pack("I", int(sys.argv[2])))
