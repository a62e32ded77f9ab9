#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: flakes.sh [N]
# Runs all C tests N times in a row (30) and tells which ever failed. The result goes into docs/data/flakes.json.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
runs=${1:-30}
log=build-flakes
mkdir -p "$log" docs/data
rm -f "$log"/run-*.log
passed=0
for ((i = 1; i <= runs; i++)); do
	scripts/check.sh cell build-check >"$log/run-$i.log" 2>&1 && passed=$((passed + 1))
	echo "run $i: $(tail -n 1 "$log/run-$i.log")"
done
echo "== tests that failed, and how often"
grep -h '^FAILED' "$log"/run-*.log | awk '{ print $2 }' | sort | uniq -c | sort -rn
tests=$(tail -n 1 "$log/run-$runs.log" | awk '{ print $1 + $3 }')
failures=$(grep -hc '^FAILED' "$log"/run-*.log | awk '{ sum += $1 } END { print sum + 0 }')
cat >docs/data/flakes.json <<JSON
{"command": "scripts/flakes.sh $runs", "runs": $runs, "tests": ${tests:-0}, "failures": $failures}
JSON
echo "$passed passed, $((runs - passed)) failed"
[ "$passed" = "$runs" ]
