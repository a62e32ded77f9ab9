#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: check-python.sh [all|leaks|asan|PYTHON...] [-- PYTEST-OPTION...]
# Builds the Python package for each PYTHON (by default python3; all: every CPython from 3.9 up that is found) and runs
# its tests. Ends with the line "N passed, N failed, N skipped".
#   leaks   counts references with Debian's debugging interpreter, python3-dbg
#   asan    the extension under AddressSanitizer and LeakSanitizer; leaks that no function of ours is part of are CPython's
set -uo pipefail
cd "$(dirname "$0")/.." || exit
total_passed=0 total_failed=0 total_skipped=0

# The interpreters of this machine: on PATH, Debian's, pyenv's; each once.
find_all() {
	local candidate
	for candidate in $(compgen -c python3. | grep -E '^python3\.[0-9]+$' | sort -u) /usr/bin/python3 \
		"${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3; do
		"$candidate" -c 'import sys; assert sys.implementation.name == "cpython" and sys.version_info >= (3, 9)
print(sys.executable)' 2>/dev/null
	done | while read -r candidate; do
		realpath "$candidate"
	done | sort -uV
}

# A place with pytest and hypothesis: what is installed, or a virtual environment. Prints the interpreter.
with_pytest() {
	local python=$1 environment=$2
	if "$python" -c 'import pytest, hypothesis' 2>/dev/null; then
		echo "$python"
		return
	fi
	if ! "$environment/bin/python" -c 'import pytest, hypothesis' 2>/dev/null; then
		rm -rf "$environment"
		"$python" -m venv "$environment" >&2 &&
			"$environment/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: pytest hypothesis >&2 || return
		# What the package is used with: its tests are skipped, and say so, where there is none for this Python.
		for package in numpy pandas fsspec; do
			"$environment/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: "$package" >&2 || true
		done
	fi
	echo "$environment/bin/python"
}

# Adds what pytest's report says to the totals.
count() {
	local numbers
	numbers=$("$1" - "$2" <<-'END'
		import sys, xml.etree.ElementTree as tree
		suites = tree.parse(sys.argv[1]).getroot().iter("testsuite")
		totals = [sum(column) for column in zip(*(
		    [int(s.get(k)) for k in ("tests", "failures", "errors", "skipped")] for s in suites))]
		print(totals[0] - sum(totals[1:]), totals[1] + totals[2], totals[3])
	END
	) || return
	read -r passed failed skipped <<<"$numbers"
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
}

check() {
	local python tag directory runner
	python=$("$1" -c 'import sys; print(sys.executable)') || return
	tag=$("$python" -c 'import sys, sysconfig; print(sysconfig.get_config_var("SOABI"), "%d.%d.%d" % sys.version_info[:3], sep="-")')
	directory=build-python/check-$tag
	echo "== testing the Python package with $("$python" -VV 2>&1 | head -n 1)"
	mkdir -p "$directory"
	scripts/python.sh "$python" "$directory/package" || return
	runner=$(with_pytest "$python" "$directory/venv") || return
	rm -f "$directory/report.xml"
	# A run that broke off has no report: that is a failure, too.
	PYTHONPATH=$directory/package "$runner" -X dev -m pytest -q -p no:cacheprovider --junitxml="$directory/report.xml" \
		-o junit_logging=no tests/python ${options[@]+"${options[@]}"}
	count "$runner" "$directory/report.xml"
}

# 1,000 repetitions of a test body that does a little of everything, under an interpreter that counts references.
leaks() {
	local directory=build-python/leaks runner
	scripts/python.sh /usr/bin/python3-dbg "$directory/package" || return
	runner=$(with_pytest /usr/bin/python3-dbg "$directory/venv") || return
	rm -f "$directory/report.xml"
	# Printed: the references after each quarter.
	PYTHONPATH=$directory/package "$runner" -m pytest -q -s -p no:cacheprovider --junitxml="$directory/report.xml" \
		-o junit_logging=no tests/python/test_leaks.py "$@"
	count "$runner" "$directory/report.xml"
}

# Memory of Python's own goes by malloc here, so that its leaks and overruns are seen. What the interpreter does not free
# at its end has no function of ours on its way; a leak of ours has, for the extension is never unloaded.
asan() {
	local directory=build-python/asan runner log
	log=$directory/log
	scripts/python.sh python3 "$directory/package" -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized || return
	runner=$(with_pytest python3 "$directory/venv") || return
	rm -rf "$log" "$directory/report.xml"
	mkdir -p "$log"
	# The tests which die of a signal, or look for how, have no sanitizer's handlers in their way.
	PYTHONPATH=$directory/package PYTHONMALLOC=malloc LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS="detect_leaks=1:handle_sigbus=0:handle_segv=0:allocator_may_return_null=1:fast_unwind_on_malloc=0:malloc_context_size=12:exitcode=0:log_path=$PWD/$log/asan" \
		UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 SMMAP_TEST_EFFORT=${SMMAP_TEST_EFFORT:-0.02} \
		"$runner" -m pytest -q -p no:cacheprovider --junitxml="$directory/report.xml" -o junit_logging=no \
		--deselect tests/python/test_process.py --deselect tests/python/test_signals.py --deselect tests/python/test_git.py tests/python "$@"
	count "$runner" "$directory/report.xml"
	"$runner" scripts/sanitizer-report.py "$log" || total_failed=$((total_failed + 1))
}

finish() {
	echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
	[ $total_failed -eq 0 ] && [ $total_passed -gt 0 ]
	exit
}

case ${1:-} in
runner) # PYTHON DIRECTORY: for scripts/coverage-python.sh
	with_pytest "$(command -v "$2")" "$3"
	exit
	;;
leaks | asan)
	kind=$1
	shift
	[ "${1:-}" != -- ] || shift
	"$kind" "$@" || total_failed=$((total_failed + 1))
	finish
	;;
esac

pythons=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	pythons+=("$1")
	shift
done
[ $# -eq 0 ] || shift
options=("$@")
if [ ${#pythons[@]} -eq 0 ]; then
	pythons=(python3)
elif [ "${pythons[0]}" = all ]; then
	mapfile -t pythons < <(find_all)
fi
for python in "${pythons[@]}"; do
	check "$python" || {
		echo "FAILED   the tests with $python broke off"
		total_failed=$((total_failed + 1))
	}
done
finish
