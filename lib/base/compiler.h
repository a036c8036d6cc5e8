/* base/compiler - the few compiler extensions that we use, by name, and ASSERT.
 * Interface: MUST_USE, PRINTF_LIKE, NORETURN, UNUSED, ARRAY_LENGTH, ASSERT. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

#if defined(__GNUC__)
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define NOINLINE __attribute__((noinline))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define MUST_USE
#define PRINTF_LIKE(format_index, first_argument)
#define NORETURN _Noreturn
#define UNUSED
#define NOINLINE
#define LIKELY(condition) (condition)
#define UNLIKELY(condition) (condition)
#endif

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The structure of which *pointer is the given member. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* For our own broken invariants only, and kept in release builds: no input from a peer, a file,
 * DNS or another process may reach one. */
#define ASSERT(condition)                                                                          \
    (LIKELY(condition) ? (void)0 : assertion_failed(#condition, __FILE__, __LINE__))

/* Writes one line to standard error and aborts. */
NORETURN void assertion_failed(const char *condition, const char *file, int line);

#endif
