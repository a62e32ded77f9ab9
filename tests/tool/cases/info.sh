# SPDX-License-Identifier: BSD-3-Clause
# smmap info: what is printed, and that the figures are right.
random data 300000
printf 'x' >one
: >empty
cat data >/dev/null
plain() {
	sed -e 's/device [0-9:]*, inode [0-9]*/device D, inode I/' -e 's/modified .*/modified  DATE/'
}
for file in data one empty; do
	smmap info --window 4096 $file | plain
done
smmap info /proc/version | sed -n 's/.*backing/backing/p'
t smmap info missing one --json | sed 's/"device".*"page_size"/.../'
touch -d '2021-02-03 04:05:06.789' one
smmap info one | grep modified
object=$(smmap info --json data)
[ "$(echo "$object" | number size)" = 300000 ] && echo size
[ "$(echo "$object" | number inode)" = "$(stat -c %i data)" ] && echo inode
[ "$(echo "$object" | number device)" = "$(stat -c %d data)" ] && echo device
[ "$(echo "$object" | number mtime_ns | cut -c 1-10)" = "$(stat -c %Y data)" ] && echo mtime
[ "$(echo "$object" | number pages_resident)" = "$(echo "$object" | number pages)" ] && echo pages
# Holes are in no cache until they are read.
truncate -s 48M sparse
smmap info sparse | grep -c '\[ *\]   0%'
smmap cat --offset 24M --length 1 sparse | wc -c
[ "$(smmap info --json sparse | number pages_resident)" -gt 0 ] && echo some
