/* tests/lib/sandbox/sandbox_test - run something in a child inside a sandbox and hear what came
 * of it. As root every case runs twice: with a chroot and another uid, and as an ordinary user. */
#ifndef TESTS_LIB_SANDBOX_SANDBOX_TEST_H
#define TESTS_LIB_SANDBOX_SANDBOX_TEST_H

#include "../../test.h"

#include "sandbox/sandbox.h"

enum sandbox_test_mode { MODE_ORDINARY, MODE_ROOT, MODE_COUNT };

#define TEST_UID 65534
#define TEST_GID 65534

struct child_result {
    bool has_entered;
    bool has_returned; /* the body came to its end with this value */
    int value;
    int death_signal; /* 0 when it left by itself */
    struct sandbox_error error;
};

typedef int child_body(void *context);

bool mode_is_possible(enum sandbox_test_mode mode);
const char *mode_name(enum sandbox_test_mode mode);

/* Forks; the child becomes who the mode says, enters and runs the body. */
struct child_result run_in_sandbox(enum sandbox_test_mode mode,
                                   const struct sandbox_profile *profile, child_body *body,
                                   void *context);

/* Fails unless the body returned 0. what: for the failure's text. */
void expect_zero(const char *what, enum sandbox_test_mode mode, const struct child_result *result);
/* In every mode that is possible. */
void expect_works(const char *what, const struct sandbox_profile *profile, child_body *body,
                  void *context);

/* The body returns 0, or the line at which something was not as promised. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__;                                                                       \
    } while (0)

#endif
