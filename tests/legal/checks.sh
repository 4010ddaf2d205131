#!/bin/bash
# SPDX-License-Identifier: MIT
# Each of check.py's checks fails where it should: a good cell is spoilt in one way after the other.
. "$(dirname "$0")/../support/lib.sh"
need python3

python3 "$SOURCE/tests/legal/spoil.py" "$SOURCE/tests/legal/check.py" "$WORK"
pass
