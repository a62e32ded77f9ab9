/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked into what `make coverage` and `make mcdc` measure (-Wl,--wrap=_exit): a child's counts are kept at _exit, too. */
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

#ifdef __clang__
int __llvm_profile_write_file(void);
#else
void __gcov_dump(void);
#endif

_Noreturn void __wrap__exit(int status)
{
#ifdef __clang__
	(void)__llvm_profile_write_file();
#else
	__gcov_dump();
#endif
	__real__exit(status);
}
