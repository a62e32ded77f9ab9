# SPDX-License-Identifier: BSD-3-Clause
# Wrong use: a clear message, status 2, and nothing done.
t smmap
t smmap nonsense
t smmap --threads 2 hash x
t smmap hash
t smmap find
t smmap find pattern
t smmap cat --nonsense x
t smmap cat --count x
t smmap cat -x x
t smmap cat --offset
t smmap cat --json=yes x
for value in -1 '' x 1x 1.5 1..5k 1.1234567k 18446744073709551616 16E 0x10 '1 2' 1KiBB; do
	t smmap cat --offset "$value" x
done
t smmap cat --offset 18446744073709551615 --length 1 x
t smmap cat --length -5 x
t smmap cat --window 0 x
t smmap cat --window -1 x
t smmap cat --window 8E x
t smmap cat --limit 0 x
t smmap cat --limit many x
t smmap cat --handles -1 x
t smmap cat --handles 1k x
t smmap cat --threads 1025 x
t smmap cat --threads two x
t smmap cat --placement here x
t smmap cat --progress=sometimes x
t smmap hash --algorithm md5 x
t smmap find '' x
t smmap find --hex '' x
t smmap find --hex ' ' x
t smmap find --hex 'xy' x
t smmap find --hex 'abc' x
t smmap find --hex 'a b' x
t smmap find --max 0 p x
t smmap find --max -3 p x
t smmap "$(printf 'a\033[31mb\n')"
