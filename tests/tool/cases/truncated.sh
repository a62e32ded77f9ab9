# SPDX-License-Identifier: BSD-3-Clause
# A file that shrinks while it is read: an error with the offset, never death, and never a wrong hash.
random data 8388608
cp data shrinking
mkfifo pipe
smmap cat shrinking good >pipe 2>.err &
tool=$!
{
	head -c 100000
	truncate -s 2M shrinking
	cat
} <pipe >.out
wait $tool
echo "exit $?"
sed 's/^/2> /' .err
head -c 2M data >expected
head -c 2M .out >head
same head expected
# The same under a hash and a search that take long enough.
for command in hash 'find --count --hex 01'; do
	truncate -s 4T shrinking
	smmap $command shrinking >.out 2>.err &
	tool=$!
	sleep 0.5
	truncate -s 1M shrinking
	wait $tool
	echo "$command: exit $?"
	cat .out
	sed -e 's/at offset [0-9]*/at offset N/' -e 's/^/2> /' .err
done
# One that vanishes is read to its end.
cp data vanishing
smmap cat vanishing >pipe &
tool=$!
{
	head -c 100000
	rm vanishing
	cat
} <pipe >.out
wait $tool
echo "exit $?"
same .out data
# One that grows is read to the end that it had.
cp data growing
smmap cat growing >pipe &
tool=$!
{
	head -c 100000
	echo more >>growing
	cat
} <pipe >.out
wait $tool
echo "exit $?"
same .out data
