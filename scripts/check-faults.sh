#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check-faults.sh [OPTION...]    (those of tests/real/run.py)
# Builds what reads, and runs every real fault against every way of reading. Ends with "N passed, N failed, N skipped".
set -eu
cd "$(dirname "$0")/.."
scripts/build.sh build >&2
scripts/build.sh build-check -Dtests=true -Dinvariants=true >&2
scripts/python.sh >&2
exec python3 tests/real/run.py build-check "$@"
