# SPDX-License-Identifier: BSD-3-Clause
# Output and errors come in the order of the files, whatever the number of threads.
i=0
while [ $i -lt 60 ]; do
	random "$(printf 'f%02d' $i)" $(((i * 7919) % 20000))
	i=$((i + 1))
done
random large 30000000
set -- large f0* missing1 f1* f2* missing2 . f3* f4* f5* large missing3
for command in hash 'find --hex 41' 'find --count --hex 4142' 'hash --json' cat; do
	smmap $command "$@" >one 2>one.err
	echo "$command: $?"
	for threads in 2 3 8 0; do
		smmap $command --threads $threads --window 4096 --limit 64k "$@" >.out 2>.err
		echo "$?"
		same .out one
		same .err one.err
	done
done
cat one.err
