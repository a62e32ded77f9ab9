# SPDX-License-Identifier: BSD-3-Clause
# smmap cat gives every byte, in order, with windows of any size and in both placements.
random data 1234567
random more 70000
: >empty
for how in '' '--window 4096' '--window 10000' '--window 64k --limit 128k' '--limit 1M' '--handles 1 --window 4k' \
	'--placement detached' '--placement detached --window 4096' '--placement stable --window 4096'; do
	q smmap cat $how data
	same .out data
done
cat data empty more data >expected
for threads in 1 3 0; do
	q smmap cat --threads $threads --window 4096 data empty more data
	same .out expected
done
for part in '0 1' '4095 2' '4096 4096' '5000 100000' '1234566 5' '1234567 5' '9999999 5' '8192 0'; do
	set -- $part
	tail -c +$(($1 + 1)) data | head -c "$2" >expected
	q smmap cat --window 4096 --offset "$1" --length "$2" data
	same .out expected
done
