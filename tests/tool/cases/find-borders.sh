# SPDX-License-Identifier: BSD-3-Clause
# Patterns at, across and far across the borders of windows, as grep and Python's find see them.
random data 200000
oracle() {
	python3 -c 'import sys
data = open(sys.argv[1], "rb").read()
pattern = bytes.fromhex(sys.argv[2])
at = data.find(pattern)
while at >= 0:
    print(at)
    at = data.find(pattern, at + len(pattern))' "$1" "$2" >expected
}
compare() { # FILE HEX: with windows of several sizes
	oracle "$1" "$2"
	for how in '--window 4096' '--window 8k --placement detached' '--window 12k --limit 24k' ''; do
		smmap find $how --hex "$2" "$1" >.out 2>.err
		cat .err
		cmp .out expected || echo "$how: $2"
	done
	echo "$(($(wc -l <expected) > 0))" "$3"
}
# Plant a pattern at each offset around some borders.
python3 -c 'import sys
data = bytearray(open("data", "rb").read())
for place, size in ((4096, 8), (8190, 8), (12281, 8), (16383, 8), (20480 - 8, 8), (24577, 8)):
    data[place:place + size] = b"NEEDLES!"
data[40000:60000] = b"ab" * 10000
data[80000:100000] = bytes(20000)
open("planted", "wb").write(data)'
compare planted 4e4545444c455321 'planted'
compare planted 4e 'one byte'
compare planted 6162 'a run of pairs'
compare planted 616261 'a run of overlaps'
compare planted 0000000000 'a run of zeros'
compare planted "$(printf '61%.0s62' $(seq 300))" '600 bytes'
# Every length, from random places, shorter and longer than a window.
for length in 2 3 31 32 33 64 4095 4096 4097 5000 9000 20000; do
	compare planted "$(tail -c +$((length * 7 + 1001)) planted | head -c $length | od -An -v -tx1 | tr -d ' \n')" \
		"$length bytes"
done
# As grep says, in text.
tr -dc 'a-e\n' <data >text
for pattern in a ab abc eda bbb; do
	grep -b -o -a -F $pattern text | cut -d: -f1 >expected
	smmap find --window 4096 $pattern text >.out
	same .out expected
done
