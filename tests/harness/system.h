/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Other systems than this one, by the table and the facts of src/os/os.h: SMMAP_TEST_SYSTEM names one.
 *
 *     pages-16k, pages-64k    pages, and units of mapping, of that size
 *     views                   pages of 4 KiB, mapped in units of 64 KiB, that cannot be given back, asked about or
 *                             advised, and whose mappings cannot be made longer: what a port to Windows has
 *
 * With it or without, each call is held to the contract: a length or an offset that is no multiple of the unit ends the
 * test. So do all tests where the system is as it is.
 */
#ifndef SMMAP_TESTS_SYSTEM_H
#define SMMAP_TESTS_SYSTEM_H

/* For the runner: puts itself into the os table, and changes the facts. */
void system_install(void);

#endif
