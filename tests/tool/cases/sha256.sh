# SPDX-License-Identifier: BSD-3-Clause
# smmap hash --algorithm sha256 prints what sha256sum prints.
need_libcrypto
sizes='0 1 3 4 8 9 16 17 128 129 240 241 256 1000 1024 4095 4096 4097 65536 100000 1048575 1048576 1048577 3000000'
for size in $sizes; do
	random "f$size" "$size"
done
sha256sum f* >expected
for how in '' '--window 4096' '--window 12k' '--limit 64k' '--threads 4' '--threads 0 --window 4096 --limit 16k' \
	'--placement detached --window 64k'; do
	q smmap hash --algorithm sha256 $how f*
	same .out expected
done
t smmap hash --algorithm sha256 f0
# Names with control characters are escaped as sha256sum escapes them.
for name in 'a b' 'back\slash' "$(printf 'new\nline')" "$(printf 'carriage\rreturn')" "$(printf 'byte\377')"; do
	printf '%s' "$name" >"$name"
done
sha256sum a* b* n* c* >expected
q smmap hash --algorithm sha256 a* b* n* c*
same .out expected
t smmap hash --algorithm sha256 --check expected | LC_ALL=C tr '\200-\377' '?'
# One line of JSON each.
q smmap hash --algorithm sha256 --json f1 missing f3
json <.out
# A file that shrinks meanwhile.
truncate -s 4T shrinking
smmap hash --algorithm sha256 shrinking >.out 2>.err &
tool=$!
sleep 0.5
truncate -s 1M shrinking
wait $tool
echo "shrinking: exit $?"
cat .out
sed -e 's/at offset [0-9]*/at offset N/' -e 's/^/2> /' .err
