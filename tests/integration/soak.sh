#!/bin/bash
# SPDX-License-Identifier: MIT
# A minute of bench/soak: 100 processes, 1,000 threads, coming and going every few milliseconds; all sums exact, nothing
# leaked.
#
# Timeout: 1200
# Labels: slow
cd "$(dirname "$0")/../.." || exit
# When all tests run a second time, with io_uring refused, less is enough.
[ "${SPANALLOC_TEST_BACKEND:-}" != poll ] || exec bench/soak 15
exec bench/soak 60
