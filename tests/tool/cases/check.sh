# SPDX-License-Identifier: BSD-3-Clause
# Lists that are as they should be.
need xxhsum
for n in 1 2 3; do
	random "file $n" $((n * 10000))
done
xxhsum -H2 file* >list 2>/dev/null
xxhsum -H2 --tag file* >tagged 2>/dev/null
t smmap hash --check list
t smmap hash --check tagged
t smmap hash --check list tagged --threads 4 --window 4096
smmap hash file* >own
t smmap hash --check own
t sh -c 'smmap hash file* | smmap hash --check -'
t sh -c 'smmap hash --check --json list | cut -c 1-60'
xxhsum -H2 -c own >/dev/null 2>&1 && echo 'xxhsum takes our list'
