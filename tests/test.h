/* tests/test - what every unit test includes: cmocka and a few helpers for spans. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"

/* name: the row of the table that is being tested. */
static inline void assert_span_is(const char *name, struct span actual, const char *expected)
{
    if (!span_equals(actual, span_from_string(expected)))
        fail_msg("%s: got \"%.*s\", expected \"%s\"", name, SPAN_PRINTF(actual), expected);
}

#endif
