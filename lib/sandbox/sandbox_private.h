/* sandbox/sandbox_private - what the modules of this folder share. */
#ifndef SANDBOX_SANDBOX_PRIVATE_H
#define SANDBOX_SANDBOX_PRIVATE_H

#include <linux/filter.h>

#include "sandbox/sandbox.h"

/* System call numbers below this have a name and a note of their own. */
enum { SANDBOX_CALL_COUNT = 512 };

enum sandbox_verdict {
    SANDBOX_ALLOW,
    SANDBOX_KILL,  /* the process ends with SIGSYS */
    SANDBOX_ABSENT /* ENOSYS without a note: libraries that ask have another way */
};

enum sandbox_comparison { SANDBOX_ANY, SANDBOX_EQUAL, SANDBOX_MASKED };

struct sandbox_condition {
    enum sandbox_comparison comparison;
    unsigned argument;
    uint64_t mask; /* SANDBOX_MASKED: argument & mask == value */
    uint64_t value;
};

enum { SANDBOX_CONDITIONS_MAX = 3 };

/* A line of the rule table. Names rather than numbers: what an architecture lacks is left out. */
struct sandbox_rule {
    unsigned promises;         /* any of them brings the line in; 0: always there */
    unsigned promises_against; /* any of them takes it out again */
    enum sandbox_verdict verdict;
    const char *call_name;
    struct sandbox_condition conditions[SANDBOX_CONDITIONS_MAX]; /* all must hold */
};

extern const struct sandbox_rule sandbox_rules[];
extern const size_t sandbox_rule_count;
/* Kills, unless a line of the table that is in force allows the call in some form. */
extern const char *const sandbox_forbidden_calls[];
extern const size_t sandbox_forbidden_call_count;

struct sandbox_filter {
    struct sock_filter *instructions;
    unsigned short instruction_count;
    bool explains_kills;
    bool is_forbidden[SANDBOX_CALL_COUNT];
    const char *call_names[SANDBOX_CALL_COUNT];
};

/* Each returns false with errno set and *step naming the part that failed. */
MUST_USE bool sandbox_limit_resources(const struct sandbox_profile *profile, const char **step);
MUST_USE bool sandbox_close_descriptors(const struct sandbox_profile *profile, const char **step);
/* Root, groups, gid, uid, capabilities; does nothing but compare for an ordinary user. */
MUST_USE bool sandbox_drop_privilege(const struct sandbox_profile *profile, const char **step);

/* The rule set of the profile's paths and ports; -1 with errno on failure. ENOSYS or EOPNOTSUPP:
 * the kernel has no Landlock. To be made before the root directory changes. */
MUST_USE int sandbox_landlock_prepare(const struct sandbox_profile *profile);
MUST_USE bool sandbox_landlock_restrict(int ruleset_fd);

/* Takes SIGSYS; the filter stays in use until the process ends. */
MUST_USE bool sandbox_trap_install(const struct sandbox_filter *filter,
                                   sandbox_note_function *on_note, void *note_context);

#endif
