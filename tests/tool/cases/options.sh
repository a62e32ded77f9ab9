# SPDX-License-Identifier: BSD-3-Clause
# Options stand before and behind FILEs; -- ends them.
printf 'one\n' >a
printf 'two\n' >-b
t smmap cat --length 2 a
t smmap cat a --length 2
t smmap cat --length=2 a --offset 1
t smmap cat -- -b
t smmap cat a -- -b
t smmap find two -- -b
t smmap cat --length 1 --length 3 a
