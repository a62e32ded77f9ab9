/* SPDX-License-Identifier: BSD-3-Clause */
/* Linked into what `make coverage` and `make mcdc` measure (-Wl,--wrap=_exit): a child's counts are kept at _exit, too. */

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker and the compiler make the names */
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

#ifdef __clang__
int __llvm_profile_write_file(void);
#else
void __gcov_dump(void);
#endif
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

_Noreturn void __wrap__exit(int status)
{
#ifdef __clang__
	(void)__llvm_profile_write_file();
#else
	__gcov_dump();
#endif
	__real__exit(status);
}
