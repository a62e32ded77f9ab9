# SPDX-License-Identifier: BSD-3-Clause
# Names with control characters and other bytes that nobody wants on a terminal.
t smmap cat "$(printf 'a\nb')" "$(printf 'c\033[2Jd')" "$(printf 'e\377f')" 'back\slash' "$(printf 'tab\tx')" \
	"$(printf '\302\233 \342\200\256 \303\244 \316\251')"
# xxhsum writes names as they are.
for name in 'a b' 'back\slash' "$(printf 'new\nline')" "$(printf 'carriage\rreturn')" "$(printf 'byte\377')"; do
	printf '%s' "$name" >"$name"
done
need xxhsum
xxhsum -H2 a* b* n* c* >expected 2>/dev/null
q smmap hash a* b* n* c*
same .out expected
