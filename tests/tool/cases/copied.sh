# SPDX-License-Identifier: BSD-3-Clause
# Files whose page cache is in small pieces are read by copy: the results are the same.
need xxhsum
random data 40000000
dd if=data of=pieces bs=4096 2>/dev/null # written so, its pages stand alone
xxhsum -H2 pieces >expected 2>/dev/null
for how in '' '--copy auto' '--copy never' '--limit 1M' '--window 4M --placement detached'; do
	q smmap hash $how pieces
	same .out expected
done
smmap hash --stats --json pieces 2>.err >/dev/null
[ "$(number tool_read_bytes <.err)" -le 40000000 ] && echo 'counted'
smmap hash --stats --json --copy never pieces 2>.err >/dev/null
number tool_read_bytes <.err
# Matches at all the borders that copies can have.
python3 -c 'with open("pieces", "r+b") as file:
    for border in range(262144, 40000000, 262144):
        file.seek(border - border // 262144 % 12)
        file.write(b"ACROSS THE BORDER")'
for pattern in 'ACROSS THE BORDER' 'A' "$(printf 'BORDER%0300d' 0)"; do
	LC_ALL=C grep -b -o -a -F "$pattern" pieces | cut -d: -f1 >expected
	for how in '' '--copy never' '--limit 1M'; do
		smmap find $how "$pattern" pieces >.out
		same .out expected
	done
done
t smmap hash --copy perhaps pieces
