# SPDX-License-Identifier: BSD-3-Clause
# --json: each line is JSON, also for names that are not Unicode and for failures.
random data 100000
bad=$(printf 'bad\377\300name"\\\n')
cp data "$bad"
for command in 'hash' 'find --count a' 'find --hex 0001020304' 'info'; do
	q smmap $command --json data missing "$bad"
	json <.out
done
t smmap hash --json "$bad" | sed 's/"hash":"[0-9a-f]*"/"hash":"HASH"/'
smmap hash data >list
smmap hash --check --json list | json
smmap hash --stats --json data 2>.err >/dev/null
json <.err
for key in window_size max_memory hits misses evictions maps peak_mapped_bytes preads; do
	[ -n "$(number $key <.err)" ] || echo "$key is missing"
done
