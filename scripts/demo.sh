#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Usage: demo.sh [BUILD_DIR]
# The main job on real input: hashes at least 1 GiB of files that are on this machine, and a sparse file larger
# than its memory, inside a limit of 64 MiB; checks every hash against xxhsum (a sample against sha256sum); and
# watches from outside, in /proc/PID/status, that what is mapped stays inside the limit.
set -eu

build=${1:-$(dirname "$0")/../build}
build=$(cd "$build" && pwd)
smmap=$build/smmap
limit_mib=64
want=$((1 << 30))
sha256_files=20
patience=100 # seconds that xxhsum may take for the sparse file, as far as can be told before

work=$(mktemp -d "$build/demo.XXXXXX") # beside the build: /tmp may be memory, which has no room for it
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
LC_ALL=C
export LC_ALL

say() {
	printf '\n== %s\n' "$*"
}
now() {
	echo $(($(date +%s%N) / 1000000))
}
# human BYTES
human() {
	awk -v n="$1" 'BEGIN { split("B KiB MiB GiB TiB", unit); i = 1
		while (n >= 1024 && i < 5) { n /= 1024; i++ }
		printf(i == 1 ? "%d %s" : "%.1f %s", n, unit[i]) }'
}
# seconds MILLISECONDS
seconds() {
	awk -v n="$1" 'BEGIN { printf("%.2f s", n / 1000) }'
}

# ---- what to hash

# list DIRECTORY... -- TEST...: "size name" of files, largest first; no names with newlines.
list() (
	directories=
	while [ "$1" != -- ]; do
		[ ! -d "$1" ] || directories="$directories $1"
		shift
	done
	shift
	[ -z "$directories" ] || find $directories -xdev -type f -size +0 -readable ! -name '*
*' "$@" -printf '%s %p\n' 2>/dev/null | sort -rn || true
)

# take BYTES: of the lines of `list`, as many as make up that much; adds them to the file `sizes`.
take() {
	awk -v want="$1" 'sum < want { sum += $1; print }' >>sizes
}
sum_up() {
	awk '{ sum += $1 } END { printf("%d", sum) }' sizes
}

collect_files() {
	list "$build/.." /usr/src /usr/local/src /srv /opt /root /home -- -path '*/.git/*' -name '*.pack' |
		take $((want / 4))
	total=$(sum_up)
	list /usr/lib -- -name '*.so*' | take $((want - total))
	total=$(sum_up)
	if [ "$total" -lt $want ]; then
		list /usr/lib /usr/bin /usr/share /usr/libexec /opt -- ! -name '*.so*' | take $((want - total))
		total=$(sum_up)
	fi
	sed 's/^[0-9]* //' sizes >files
	if [ "$total" -lt $want ]; then
		echo "This machine has only $(human "$total") of files to hash; $(human $((want - total))) of random" \
			"bytes are made for the rest."
		head -c $((want - total)) /dev/urandom >random
		echo "$work/random" >>files
		total=$want
	fi
}

# ---- running the tool under watch

# The RssFile of a process in kB; nothing once it has ended.
rss_file() {
	sed -n 's/^RssFile:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null || true
}

# watched THREADS OUTPUT ARGUMENT...: runs smmap hash; sets elapsed (ms), peak and allowed (kB), samples.
watched() {
	threads=$1
	output=$2
	shift 2
	allowed=$((start_kb + (limit_mib + 2 * threads) * 1024))
	peak=0
	samples=0
	began=$(now)
	"$smmap" hash --limit ${limit_mib}M --threads "$threads" --progress=always "$@" >"$output" &
	pid=$!
	while kb=$(rss_file $pid) && [ -n "$kb" ]; do
		samples=$((samples + 1))
		[ "$kb" -le $peak ] || peak=$kb
		sleep 0.01
	done
	if ! wait $pid; then
		echo "demo: smmap failed" >&2
		exit 1
	fi
	elapsed=$(($(now) - began))
}

# row WHAT FILES BYTES TOOL_MS PEER PEER_MS SAME: adds a line to the summary.
failures=0
row() {
	within=yes
	[ $peak -le $allowed ] || within=NO
	[ "$7" = yes ] && [ $within = yes ] || failures=$((failures + 1))
	printf '%-22s %6s %10s %9s %9s  %-9s %4s   %10s of %10s  %s\n' "$1" "$2" "$(human "$3")" \
		"$(seconds "$4")" "$6" "$5" "$7" "$(human $((peak * 1024)))" "$(human $((allowed * 1024)))" $within >>summary
}

equal() {
	if cmp -s "$1" "$2"; then
		echo yes
	else
		echo NO
	fi
}

start_kb=$("$smmap" hash --stats --json "$smmap" 2>&1 >own |
	sed -n 's/.*"rss_file_at_start":\([0-9]*\).*/\1/p')
start_kb=$((${start_kb:-0} / 1024))
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
crew=$((processors < 2 ? 1 : 2))

say "Files of this machine"
collect_files
IFS='
'
set -f
set -- $(cat files)
set +f
unset IFS
echo "$# files, $(human "$total"), inside a limit of $limit_mib MiB, by $crew threads:"
head -n 3 files | sed 's/^/    /'
echo "    ..."
cat -- "$@" >/dev/null # so that both find them in the page cache
watched $crew ours -- "$@"
began=$(now)
xxhsum -H2 -- "$@" >theirs 2>/dev/null
peer=$(($(now) - began))
row "files of this machine" $# "$total" $elapsed xxhsum "$(seconds $peer)" "$(equal ours theirs)"

say "A sample of them by SHA-256"
step=$(($# / sha256_files + 1))
awk -v step=$step 'NR % step == 1 || step == 1' files >sample
set -f
IFS='
'
set -- $(cat sample)
unset IFS
set +f
bytes=$(stat -L -c %s -- "$@" | awk '{ sum += $1 } END { printf("%d", sum) }')
echo "$# files, $(human "$bytes"):"
watched 1 ours --algorithm sha256 -- "$@"
began=$(now)
sha256sum -- "$@" >theirs
peer=$(($(now) - began))
allowed=$((allowed + 8192)) # libcrypto itself is a mapped file
row "a sample by sha256" $# "$bytes" $elapsed sha256sum "$(seconds $peer)" "$(equal ours theirs)"

memory=$(($(sed -n 's/^MemTotal:[^0-9]*\([0-9]*\).*/\1/p' /proc/meminfo) * 1024))
size=$(((memory / (1 << 30) + 2) << 30))
say "A sparse file larger than memory"
echo "$(human $size), where this machine has $(human "$memory") of memory:"
truncate -s $size sparse
watched 1 ours sparse
if [ $((elapsed / 1000)) -lt $patience ]; then
	echo "the same by xxhsum ..."
	began=$(now)
	xxhsum -H2 sparse >theirs 2>/dev/null
	peer="$(seconds $(($(now) - began)))"
	row "sparse, beyond memory" 1 $size $elapsed xxhsum "$peer" "$(equal ours theirs)"
else
	echo "xxhsum would take long for it; the comparison is made on a smaller sparse file of 8 GiB."
	big_elapsed=$elapsed
	row "sparse, beyond memory" 1 $size $big_elapsed none - yes
	truncate -s 8G smaller
	watched 1 ours smaller
	began=$(now)
	xxhsum -H2 smaller >theirs 2>/dev/null
	peer="$(seconds $(($(now) - began)))"
	row "sparse, 8 GiB" 1 $((8 << 30)) $elapsed xxhsum "$peer" "$(equal ours theirs)"
fi

say "Summary"
printf '%-22s %6s %10s %9s %9s  %-9s %4s   %10s    %10s  %s\n' what files bytes smmap peer peer same \
	"RssFile" "allowed" within
cat summary
echo
echo "RssFile is the highest figure that was seen in /proc/PID/status while the tool ran. Allowed is the limit of" \
	"$limit_mib MiB,"
echo "2 MiB for each thread, and the figure at the start of the process ($(human $((start_kb * 1024))): the program" \
	"itself; with sha256, libcrypto too)."
if [ $failures != 0 ]; then
	echo "demo: $failures rows are not as they should be" >&2
	exit 1
fi
echo "All hashes agree, and the limit was kept."
