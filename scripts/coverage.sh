#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: coverage.sh branches|mcdc [build|run|report]
# Measures what the C tests, the replayed inputs of the fuzz targets and the tool's tests reach. The build has the flags of a
# release; what only tests see (assertions, invariants) is out.
#   branches  gcc and gcov: every branch of the core and of the tool
#   mcdc      clang-19 and llvm-cov-19: modified condition/decision coverage of the core
# Results: docs/data/{coverage,coverage-tool,mcdc}.json. Nonzero when a test fails or a target is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
kind=${1:?branches or mcdc}
step=${2:-all}
directory=$PWD/build-$kind
export LLVM_PROFILE_FILE=$directory/profile/%4m.profraw

case $kind in
branches)
	export CC=gcc
	# Atomic counters, since tests have threads. No early inlining: else gcov counts each copy of a function of three lines.
	flags=(--coverage -fprofile-update=atomic -fno-early-inlining)
	;;
mcdc)
	export CC=clang-19
	flags=(-fprofile-instr-generate -fcoverage-mapping -fcoverage-mcdc -fprofile-update=atomic)
	;;
*)
	sed -n '3p' "$0" >&2
	exit 2
	;;
esac

build() {
	mkdir -p "$directory.flush"
	"$CC" -O1 -c tests/harness/flush.c -o "$directory.flush/flush.o"
	faults=
	! grep -q "'faults'" meson_options.txt || faults=-Dfaults=true
	link_args="${flags[*]} -Wl,--wrap=_exit $directory.flush/flush.o"
	scripts/build.sh "$directory" -Dtests=true -Dinvariants=true $faults -Db_ndebug=true -Db_lundef=false "-Dc_args=${flags[*]}" "-Dc_link_args=$link_args"
}

# The last line of each program is "N passed, N failed, N skipped".
run() {
	find "$directory" -name '*.gcda' -delete
	rm -rf "$directory/profile"
	mkdir -p "$directory/log" "$directory/profile"
	rm -f "$directory"/log/*
	# Some tests go on as another user, whose counts come to the same files.
	umask 0
	chmod -R a+rwX "$directory"
	export directory
	find tests -name 'test_*.c' -o -name 'fuzz_*.c' | sed 's,^tests/,,; s,test_,,; s,fuzz_,,; s,\.c$,,; s,/,-,g' | sort |
		while read -r name; do
			[ ! -x "$directory/tests/$name" ] || echo "$name"
		done |
		SMMAP_TEST_TIMEOUT=${SMMAP_TEST_TIMEOUT:-5} SMMAP_TEST_EFFORT=${SMMAP_TEST_EFFORT:-0.05} xargs -P "$(nproc)" -I NAME \
			sh -c '"$directory/tests/NAME" >"$directory/log/NAME" 2>&1; true'
	tests/tool/run.sh "$directory" >"$directory/log/tool" 2>&1 || true
	grep -hE '^FAILED' "$directory"/log/* || true
	tail -q -n 1 "$directory"/log/* | awk '{ passed += $1; failed += $3; skipped += $5 }
		END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' | tee "$directory/tests.txt"
}

report() {
	if [ "$kind" = mcdc ]; then
		llvm-profdata-19 merge -sparse -o "$directory/all.profdata" "$directory"/profile/*.profraw
		objects=()
		for name in "$directory"/log/*; do
			program=$directory/tests/$(basename "$name")
			[ ! -x "$program" ] || objects+=(-object "$program")
		done
		llvm-cov-19 export -instr-profile="$directory/all.profdata" "${objects[@]:1}" \
			-sources "$PWD/src" >"$directory/mcdc.json"
		llvm-cov-19 show -instr-profile="$directory/all.profdata" "${objects[@]:1}" --show-mcdc \
			-sources "$PWD/src" >"$directory/mcdc.txt"
	fi
	scripts/core-coverage.py "$kind" "$directory"
}

case $step in
all)
	build
	run
	report
	grep -q '^[1-9][0-9]* passed, 0 failed' "$directory/tests.txt"
	;;
*) "$step" ;;
esac
