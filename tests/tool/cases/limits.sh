# SPDX-License-Identifier: BSD-3-Clause
# The budget holds: mapped bytes, handles, and what the system counts as RssFile (2 MiB for each thread beside).
truncate -s 1G sparse
bound() {
	smmap hash --stats --json "$@" sparse 2>.err >/dev/null || cat .err
	first=$(number rss_file_at_start <.err)
	peak=$(number peak_rss_file <.err)
	[ -n "$peak" ] || skip "the system does not tell RssFile"
	[ "$peak" -le $((first + 36 * 1048576)) ] || echo "RssFile $((peak - first)) bytes above the start"
	[ "$(number peak_mapped_bytes <.err)" -le 33554432 ] ||
		echo "mapped $(number peak_mapped_bytes <.err)"
	[ "$(number pread_bytes <.err)" = 0 ] || echo "read $(number pread_bytes <.err) bytes by pread"
	[ "$(number misses <.err)" -gt 0 ] && echo "$*: held"
}
bound --limit 32M
bound --limit 32M --window 2M
bound --limit 32M --window 64k
bound --limit 32M --window 4M --placement detached
bound --limit 32M --threads 2
smmap hash --window 64k --handles 3 --stats --json sparse 2>.err >/dev/null
[ "$(number peak_handles <.err)" -le 3 ] && echo 'handles held'
smmap cat --length 1 --stats sparse 2>&1 >/dev/null | sed 's/ *[0-9].*//'
