#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: model.sh [OPERATIONS]
# Runs the model test with at least that many random operations in all (1,000,000), compared byte by byte.
# Its counts go into docs/data/model.json.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
operations=${1:-1000000}
test=build-check/tests/model-model
log=build-model
mkdir -p "$log" docs/data
rm -f "$log"/*.log
scripts/build.sh build-check -Dtests=true -Dinvariants=true || exit
# What the tests do by themselves, as they are listed; each may lose one operation to rounding.
one=$(grep '^MODEL(' tests/model/test_model.c | grep -oE '[0-9]+\)$' | awk '{ sum += $1 } END { print sum }')
SMMAP_TEST_EFFORT=$(awk "BEGIN { printf \"%.6f\", ($operations + 100) / $one }")
limit=$(awk "BEGIN { print int(120 + 60 * $SMMAP_TEST_EFFORT) }")
export SMMAP_TEST_EFFORT
$test --list | xargs -P "$(nproc)" -I NAME sh -c "timeout $limit $test --run NAME >$log/NAME.log 2>&1 || echo FAILED >>$log/NAME.log"
total=$(grep -h '^operations: ' "$log"/*.log | awk '{ sum += $2 } END { print sum + 0 }')
failed=$(grep -l '^FAILED' "$log"/*.log | wc -l)
for name in $(grep -l '^FAILED' "$log"/*.log); do
	echo "FAILED   $name"
	cat "$name"
done
cat >docs/data/model.json <<JSON
{"command": "scripts/model.sh $operations", "operations": $total, "configurations": $($test --list | wc -l), "failed": $failed}
JSON
echo "$total operations in $SECONDS s, $failed configurations failed"
[ "$failed" = 0 ] && [ "$total" -ge "$operations" ]
