# SPDX-License-Identifier: BSD-3-Clause
# Standard output that takes nothing: reported once, not zero.
random data 300000
for command in 'cat data data' 'hash data data' 'find a data' 'info data' 'hash --json data' '--help' '--version'; do
	t sh -c "smmap $command >/dev/full"
	t sh -c "smmap $command >&-"
done
t sh -c 'smmap hash data data missing --threads 2 >/dev/full'
# A reader that goes away ends the tool, as it ends cat.
t sh -c 'smmap cat data data data | head -c 5 >/dev/null'
t sh -c 'trap "" PIPE; (smmap cat data data data; echo "status $?" >&2) | head -c 5 >/dev/null'
# Standard input and standard error may be closed.
t sh -c 'smmap hash missing <&- 2>&-'
t sh -c 'smmap cat data <&- 2>&- | cmp - data'
