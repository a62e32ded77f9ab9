# SPDX-License-Identifier: BSD-3-Clause
# smmap hash prints what xxhsum -H2 prints.
need xxhsum
sizes='0 1 3 4 8 9 16 17 128 129 240 241 256 1000 1024 4095 4096 4097 65536 100000 1048575 1048576 1048577 3000000'
for size in $sizes; do
	random "f$size" "$size"
done
xxhsum -H2 f* >expected 2>/dev/null
for how in '' '--window 4096' '--window 12k' '--limit 64k' '--threads 4' '--threads 0 --window 4096 --limit 16k' \
	'--placement detached --window 64k'; do
	q smmap hash $how f*
	same .out expected
done
q smmap hash --algorithm xxh3-128 f*
same .out expected
t smmap hash f0
