/* SPDX-License-Identifier: BSD-3-Clause */
/* Which sanitizer the test is built with: 1 or 0. */
#ifndef SMMAP_TESTS_SANITIZERS_H
#define SMMAP_TESTS_SANITIZERS_H

#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER 1
#endif
#endif
#ifndef THREAD_SANITIZER
#define THREAD_SANITIZER 0
#endif

#endif
