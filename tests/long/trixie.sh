#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian 13, bare: see debian.bash.
. "$(dirname "${BASH_SOURCE[0]}")/debian.bash"
whole_debian trixie
