# SPDX-License-Identifier: BSD-3-Clause
# Files that say nothing true about their size, and cannot be mapped.
[ -r /proc/version ] || skip 'there is no /proc'
for file in /proc/version /proc/self/mounts /sys/devices/system/cpu/online; do
	[ -r "$file" ] || file=/proc/version # /sys is not mounted everywhere
	cat "$file" >expected
	smmap cat "$file" >.out
	same .out expected
	smmap hash "$file" | cut -d' ' -f1 >.out
	smmap hash expected | cut -d' ' -f1 >.err
	same .out .err
done
q timeout 20 smmap hash /proc/cpuinfo
[ -s .out ] && echo hashed
q timeout 20 smmap find --count processor /proc/cpuinfo
grep -c ^processor /proc/cpuinfo >expected
same .out expected
