# SPDX-License-Identifier: BSD-3-Clause
# Sizes as people write them.
random data 5000000
for size in 0 1 '1 k' 1K 1KiB 1kib 1.5k 0.5KiB 2kB 2KB 1MB 1m 4.5MiB 1.000001M 100B; do
	printf '%s: ' "$size"
	smmap cat --length "$size" data | wc -c
done
for offset in 0 1k 4999999 5000000 5000001 1T 15E 18446744073709551615; do
	printf 'from %s: ' "$offset"
	smmap cat --offset "$offset" data | wc -c
done
window() {
	awk '$1 == "window" { print $2 }'
}
# Where only a limit is given, the window is an 8th of it, and at most the default, which depends on the size of pointers.
for limit in 1 100k 1M 16M 20M 64M 512M; do
	printf 'limit %s: window ' "$limit"
	smmap cat --length 1 --limit $limit --stats data 2>&1 >/dev/null | window
done
printf 'window 5000, limit 64M: '
smmap cat --length 1 --window 5000 --limit 64M --stats data 2>&1 >/dev/null | window
