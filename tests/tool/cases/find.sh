# SPDX-License-Identifier: BSD-3-Clause
# smmap find prints what grep -b -o prints.
printf 'the quick brown fox\njumps over the lazy dog, the end\n' >text
cp text again
: >empty
t smmap find the text
t smmap find the text again empty
t smmap find --count the text
t smmap find --count the text again empty
t smmap find --max 2 the text again
t smmap find --max 2 --count the text
t smmap find cat text
t smmap find cat text --count
t smmap find the empty
t smmap find --hex '74 68 65' text
t smmap find --hex 746865 text
t smmap find --hex '0A 6a' text
t smmap find "$(cat text)" text
t smmap find "$(cat text text)" text
t smmap find the missing text
t smmap find --json the text missing
t smmap find --json --count the text
# Matches do not overlap.
printf 'aaaaaaa' >letters
t smmap find aa letters
t smmap find aaa letters --window 4096
# Any bytes.
printf 'x\0\0\377y' >bytes
t smmap find --hex '00' bytes
t smmap find --hex '00 00 ff' bytes
t smmap find --hex 'ff' bytes
