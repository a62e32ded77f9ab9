#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check.sh [all|asan|ubsan|tsan|msan|integer|stress|valgrind|helgrind|32|fuzz-replay]
#        check.sh cell DIRECTORY [MESON-OPTION...]
# Builds with the library's expensive checks on, runs the tests over all cores and ends with the line
# "N passed, N failed, N skipped". `all` is what `make check` runs: the C tests, natively and in a 32-bit build,
# those of the tool, of the build and, once it is there, of the Python package. `cell` runs the C tests of one build, as
# scripts/platforms.sh asks for them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
kind=${1:-all}
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# build DIRECTORY [OPTION...]: builds it with its tests.
build() {
	local directory=$1
	shift
	echo "== building $directory"
	scripts/build.sh "$directory" -Dtests=true -Dinvariants=true "$@" || {
		echo "FAILED   build of $directory"
		echo "0 passed, 1 failed" >"$results/$directory"
		return 1
	}
}

# The test programs of a build, by the names that tests/meson.build gives them; those that match $only.
programs() {
	find tests -name 'test_*.c' -o -name 'fuzz_*.c' | sed 's,^tests/,,; s,\(test\|fuzz\)_,,; s,\.c$,,; s,/,-,g' |
		grep "${only:-}" | sort | sed "s,^,$1/tests/,"
}

# One test (or, without a name, a whole script), with its output in one piece and its counts in $results.
run_one() {
	local output
	output=$(mktemp "$results/XXXXXX")
	local status=0
	$launcher "$@" >"$output" 2>&1 || status=$?
	# A program that breaks off has no last line: that is a failure, too.
	if ! tail -n 1 "$output" | grep -qE '^[0-9]+ passed, [0-9]+ failed'; then
		printf 'FAILED   %s (exit code %s, no result)\n0 passed, 1 failed\n' "$*" "$status" >>"$output"
	fi
	sed '$d' "$output" | sed "s,^\(ok\|FAILED\|skipped\) \( *\),&$label,"
}
export -f run_one
export results launcher="${SMMAP_TEST_EMULATOR:-}" label=''

# run_programs DIRECTORY: all C tests of a build, each test by itself, but for those that match $without (a regular
# expression for "program test"), which are named. $only: those that match it, of all.
run_programs() {
	echo "== running the tests of $1"
	local program
	for program in $(programs "$1"); do
		$launcher "$program" --list | sed "s,^,$program ,"
	done | grep -E "${only:-.}" | if [ -n "${without:-}" ]; then
		tee >(grep -E "$without" | sed 's,.*/,left out ,' >&2) | grep -vE "$without"
	else
		cat
	fi | xargs -P "$(nproc)" -L 1 bash -c 'run_one "$@"' run_one
}

# slowly FACTOR EFFORT COMMAND...: with that much more time and that much less to do, unless told otherwise.
slowly() {
	export SMMAP_TEST_TIMEOUT=${SMMAP_TEST_TIMEOUT:-$1} SMMAP_TEST_EFFORT=${SMMAP_TEST_EFFORT:-$2}
	shift 2
	"$@"
}

# Clang's and gcc's runtimes of this age do not cope with every layout of the address space.
without_randomisation() {
	if setarch -R true 2>/dev/null; then
		launcher='setarch -R'
	fi
}

run_sanitized() {
	without_randomisation
	build "build-$1" "-Db_sanitize=$2" -Db_lundef=false && slowly 10 0.2 run_programs "build-$1"
}

run_32() {
	CC=gcc build build-32 --cross-file scripts/i386.ini || return
	export label=32/
	run_programs build-32
	[ ! -x tests/tool/run.sh ] || run_one tests/tool/run.sh build-32
}

case $kind in
all)
	build build-check && run_programs build-check
	scripts/build.sh build
	run_one tests/build/run.sh
	[ ! -x tests/tool/run.sh ] || run_one tests/tool/run.sh build
	[ ! -x scripts/check-python.sh ] || run_one scripts/check-python.sh
	run_one scripts/check-faults.sh
	if [ -e /usr/lib/i386-linux-gnu/libcmocka.so ]; then
		run_32
	else
		echo "skipped  the 32-bit tests (they need an x86-64 machine with Debian's i386 packages)"
	fi
	;;
asan)
	export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:allocator_may_return_null=1}
	run_sanitized asan address
	;;
ubsan)
	export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
	run_sanitized ubsan undefined
	;;
tsan)
	# Its own memory lies beyond any limit of address space.
	without='address_space_is_shared_out$'
	export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1}
	run_sanitized tsan thread
	;;
msan)
	# It has to see all of the program: cmocka is built for it, and the tool with its libraries left out.
	without_randomisation
	scripts/cmocka.sh build-cmocka/msan clang-19 -fsanitize=memory
	PKG_CONFIG_LIBDIR=$PWD/build-cmocka/msan/lib/pkgconfig CC=clang-19 build build-msan -Dtool=false \
		-Db_sanitize=memory -Db_lundef=false && slowly 10 0.1 run_programs build-msan
	;;
integer)
	# Not the overflow of unsigned numbers: hashes and comparisons like `offset - begin < size` are meant to wrap.
	export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
	CC=clang-19 build build-integer -Dtool=false -Db_lundef=false -Dc_link_args=-fsanitize=integer \
		-Dc_args='-fsanitize=integer -fno-sanitize=unsigned-integer-overflow' && slowly 4 0.1 run_programs build-integer
	;;
stress)
	# These tell what stays mapped when nothing pins it: here nothing does.
	without='budget-(batch|growth|moments|order) |cursor-handles |cursor-map_at |freeing_a_manager_can_be_tried_again$'
	without="$without|letting_go_lets_go_of_what_reads_kept\$|windows_of_any_size\$|patched_regions_heal_when"
	without="$without|faults_of_files_that_are_gone_are_not_classified\$|manager-parked "
	without="$without|unguarded_until_it_goes\$|idle_files_that_were_touched\$"
	build build-stress -Dstress=true && slowly 10 0.2 run_programs build-stress
	;;
valgrind)
	# Valgrind brings its own handlers, stacks, descriptors and limit of mappings, which these are about; it runs one thread
	# at a time, also while that is parked in a fault; and it does not restore all registers after one.
	# And it keeps books of each byte that is mapped, which takes minutes for files of many GiB.
	without='guard-(chain|guard|handler|signals|storm) |the_limit_of_mappings_is_asked_for$|copes_without_descriptors$|manager-parked '
	without="$without|cursor-boundaries stable_files\$|sparse_files_beyond_4_gib\$"
	export SMMAP_TEST_WRAPPER=scripts/memcheck.sh
	build build-check && slowly 30 0.02 run_programs build-check
	;;
helgrind)
	# The order of locks and the use of threads, in the tests that have threads or take all the locks. It does not know C11's
	# atomics and takes each for a race: races are left to ThreadSanitizer. Forks of many threads hang in valgrind's scheduler.
	only='manager-threads |region-table |cursor-(buffer|change|handles|range|values) '
	without='fork'
	export SMMAP_TEST_WRAPPER="valgrind -q --tool=helgrind --error-exitcode=9 --suppressions=$PWD/tests/helgrind.supp"
	build build-check && slowly 30 0.02 run_programs build-check
	;;
32)
	run_32
	;;
fuzz-replay)
	only=^fuzz-
	build build-check && run_programs build-check
	run_one scripts/check-python.sh -- -k fuzz
	;;
cell)
	shift
	build "$@" && run_programs "$1"
	;;
*)
	sed -n '3,4p' "$0" >&2
	exit 2
	;;
esac

# The last lines of all outputs, summed up.
find "$results" -type f -exec tail -q -n 1 {} + |
	awk '{ passed += $1; failed += $3; skipped += $5 }
		END {
			printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
			exit failed > 0 || passed == 0
		}'
