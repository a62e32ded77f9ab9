# SPDX-License-Identifier: BSD-3-Clause
# Functions for the cases; see run.sh.

# t COMMAND...: runs it and shows what it was, its standard output, its standard error ("2> " before each line)
# and its exit status.
t() {
	printf '$ %s\n' "$*" | LC_ALL=C tr '\001-\011\013-\037\177-\377' '?'
	"$@" >.out 2>.err
	t_status=$?
	cat .out
	sed 's/^/2> /' .err
	echo "exit $t_status"
}

# q COMMAND...: the same without the output, for when it is compared by other means: it is in .out and .err.
q() {
	printf '$ %s\n' "$*" | LC_ALL=C tr '\001-\011\013-\037\177-\377' '?'
	"$@" >.out 2>.err
	echo "exit $?"
}

# same A B: says whether two files are equal.
same() {
	if cmp "$1" "$2"; then
		echo same
	fi
}

# skip REASON: ends the case without a verdict.
skip() {
	echo "$*"
	exit 77
}

# random FILE SIZE: makes a file of random bytes. The n-th file of a case is the same for the same seed.
random_count=0
random() {
	random_count=$((random_count + 1))
	python3 -c 'import random, sys
generator = random.Random(int(sys.argv[1]) * 1000 + int(sys.argv[2]))
left = int(sys.argv[4])
with open(sys.argv[3], "wb") as file:
    while left:
        left -= file.write(generator.randbytes(min(left, 1 << 20)))' \
		"$TEST_SEED" "$random_count" "$1" "$2"
}

# number KEY: the number that KEY has in the JSON object (a line) on standard input.
number() {
	sed -n 's/.*"'"$1"'":\(-\{0,1\}[0-9]*\).*/\1/p'
}

# need COMMAND...: skips the case when one is not installed.
need() {
	for command; do
		command -v "$command" >/dev/null || skip "$command is not installed"
	done
}

# need_libcrypto: skips the case where the tool cannot load it, as in a 32-bit build without a 32-bit libcrypto.
need_libcrypto() {
	need sha256sum
	! smmap hash --algorithm sha256 /dev/null 2>&1 | grep -q 'needs libcrypto' || skip 'libcrypto is not installed'
}

# json: says whether each line of standard input is JSON.
json() {
	python3 -c 'import json, sys
lines = sys.stdin.buffer.read().decode("utf-8").splitlines()
for line in lines:
    json.loads(line)
print("%d lines of JSON" % len(lines))'
}
