#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Usage: memcheck.sh PROGRAM [ARGUMENT...]
# The program under valgrind's memcheck; findings are exit code 9. Valgrind 3.19 now and then breaks off in its own book of
# the address space ("aspacem assertion failed"), which says nothing of the program: then it is said, and run again, twice at most.
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for attempt in 1 2 3; do
	valgrind -q --error-exitcode=9 --leak-check=full "$@" 2>"$log"
	status=$?
	cat "$log" >&2
	# As it ended, so that who waits for it sees the same signal.
	[ "$status" -le 128 ] || kill -$((status - 128)) $$
	[ "$status" != 0 ] && grep -q 'Valgrind: FATAL: aspacem assertion failed' "$log" || exit "$status"
	echo "valgrind itself broke off (attempt $attempt of 3)" >&2
done
exit "$status"
