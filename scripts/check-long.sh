#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check-long.sh
# The long tier, hours of it: the model's ten million operations, storms, faults, fuzzing, platforms, slow checkers,
# and the same tests again and again. FUZZ_SECONDS is the time for fuzzing (3600), RUNS how often the tests run (30).
set -uo pipefail
cd "$(dirname "$0")/.." || exit
passed=0
failed=0

stage() {
	local name=$1 start=$SECONDS status=0
	shift
	echo "==== $name: $*"
	"$@" || status=$?
	if [ $status = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
	echo "==== $name: $([ $status = 0 ] && echo ok || echo FAILED), $((SECONDS - start)) s"
}
# A target of the Makefile that may not be there: said, not passed over.
target() {
	if grep -q "^$1:" Makefile; then
		stage "$@"
	else
		echo "==== $1: skipped, there is no such target"
	fi
}
stage ci .ci/run
stage model scripts/model.sh 10000000
target check-storms make check-storms
target check-faults make check-faults
target fuzz make fuzz "SECONDS=${FUZZ_SECONDS:-3600}"
stage platforms make check-platforms
stage msan make msan
stage integer make integer
stage helgrind make helgrind
stage flakes scripts/flakes.sh "${RUNS:-30}"
stage report make report
echo "$passed passed, $failed failed"
[ $failed = 0 ]
