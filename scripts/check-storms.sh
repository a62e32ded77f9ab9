#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check-storms.sh [EFFORT]
# The long tier of what `make check` does a share of: reads in a storm of changes, and forks among threads. EFFORT is a multiple
# of that share; 105, unless told, makes more than 10^7 reads, 10^6 recoveries and 10^4 forks. Prints how many there were, and
# ends with "N passed, N failed".
set -u
cd "$(dirname "$0")/.." || exit
export SMMAP_TEST_EFFORT="${1:-105}"
passed=0
failed=0
scripts/build.sh build-check -Dtests=true -Dinvariants=true || exit

output=$(mktemp)
trap 'rm -f "$output"' EXIT
for test in guard-storm:readers_in_a_storm manager-threads:forks_among_threads_stable \
	manager-threads:forks_among_threads_detached; do
	if "build-check/tests/${test%%:*}" --run "${test#*:}" >"$output" 2>&1; then
		echo "ok       $test"
		passed=$((passed + 1))
	else
		echo "FAILED   $test"
		failed=$((failed + 1))
	fi
	grep -vE '^\[' "$output" | sed 's/^/    | /'
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
