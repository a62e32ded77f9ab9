#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: run.sh [--update] BUILD_DIR [CASE...]
# Tests the tool as a user runs it. Each case is a script cases/NAME.sh, run in an empty directory of its own with
# BUILD_DIR/smmap first on the PATH and the functions of lib.sh; what it prints must be cases/NAME.golden.
# --update writes the golden files anew. The last line is "N passed, N failed"; skipped cases are named.
# Inputs are random; TEST_SEED, printed first, makes the same ones again.
set -u

here=$(cd "$(dirname "$0")" && pwd)
update=no
[ "${1:-}" != --update ] || { update=yes && shift; }
if [ $# -lt 1 ] || [ ! -x "$1/smmap" ]; then
	echo "usage: run.sh [--update] BUILD_DIR [CASE...]   (BUILD_DIR/smmap must be there)" >&2
	exit 2
fi
PATH=$(cd "$1" && pwd):$PATH
shift
TEST_SEED=${TEST_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
TEST_LIB=$here/lib.sh
LC_ALL=C.UTF-8
TZ=UTC
export PATH TEST_SEED TEST_LIB LC_ALL TZ
unset POSIXLY_CORRECT

work=$(mktemp -d "${TMPDIR:-/tmp}/smmap-test.XXXXXX") || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
chmod 755 "$work"
echo "seed $TEST_SEED"

passed=0
failed=0

# Compares with the golden file, or writes it.
judge() {
	if [ $update = yes ] && [ "$2" = 0 ]; then
		cp "$work/actual" "$here/cases/$1.golden"
	fi
	if [ "$2" = 0 ] && diff -u "$here/cases/$1.golden" "$work/actual" >"$work/diff" 2>&1; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "FAILED $1 (exit status $2)"
	if [ "$2" = 0 ]; then
		sed 's/^/    /' "$work/diff"
	else
		tail -n 20 "$work/actual" | sed 's/^/    /'
	fi
}

run_case() {
	rm -rf "$work/dir"
	mkdir "$work/dir"
	(cd "$work/dir" && timeout 120 sh -c '. "$TEST_LIB"; . "$1"; exit 0' sh "$here/cases/$1.sh") \
		>"$work/actual" 2>&1 </dev/null
	status=$?
	if [ $status = 77 ]; then
		echo "skipped $1: $(tail -n 1 "$work/actual")"
	else
		judge "$1" $status
	fi
}

if [ $# = 0 ]; then
	for script in "$here"/cases/*.sh; do
		name=${script##*/}
		set -- "$@" "${name%.sh}"
	done
fi
for name; do
	run_case "$name"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
