#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: sweep.sh
# The single-fault sweep by itself: every test of build-check/tests/faults-sweep, over all cores. Writes what was done to
# docs/data/sweep.json, and ends with the line "N passed, N failed, N skipped".
set -uo pipefail
cd "$(dirname "$0")/.." || exit
scripts/build.sh build-check -Dtests=true -Dinvariants=true || exit
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
export program=build-check/tests/faults-sweep results
start=$SECONDS
"$program" --list | xargs -P "$(nproc)" -I{} bash -c '"$program" {} >"$results/{}" 2>&1'
seconds=$((SECONDS - start))
cat "$results"/* | grep -vE '^[0-9]+ passed' | sort
mkdir -p docs/data
cat "$results"/* | awk -v seconds=$seconds -v cores="$(nproc)" '
	/^note: sweep: .* call sites, / {
		sub(",", "")
		for (i = 1; i < NF; i++) {
			if ($(i + 1) == "call") sites += $i
			if ($(i + 1) == "points,") points += $i
		}
	}
	/^[0-9]+ passed, / { passed += $1; failed += $3; skipped += $5 }
	END {
		printf "{\n  \"tests_passed\": %d,\n  \"tests_failed\": %d,\n  \"tests_skipped\": %d,\n", passed, failed, skipped >file
		printf "  \"call_sites\": %d,\n  \"points\": %d,\n", sites, points >file
		printf "  \"seconds\": %d,\n  \"cores\": %d\n}\n", seconds, cores >file
		printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
		exit failed > 0 || passed == 0
	}' file=docs/data/sweep.json
