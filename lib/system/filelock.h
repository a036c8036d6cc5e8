/* system/filelock - locks of mailbox files, as mail programs agree on them: fcntl, flock, and a
 * file NAME.lock beside. Tried some times with a pause between; the caller waits meanwhile.
 * Callers: local/mbox, tools/postlock. */
#ifndef SYSTEM_FILELOCK_H
#define SYSTEM_FILELOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum {
    FILELOCK_FCNTL = 1 << 0,
    FILELOCK_FLOCK = 1 << 1,
    FILELOCK_DOTLOCK = 1 << 2, /* left out where the directory does not let us make files and
                                * another lock is taken */
    FILELOCK_NAME_MAX_BYTES = 1200
};

struct filelock_rules {
    unsigned kinds; /* FILELOCK_ */
    unsigned attempts;
    int64_t delay_ms;
    int64_t stale_ms; /* NAME.lock of that age is nobody's */
};

/* NAME.lock, if it was made. */
struct filelock_dot {
    int directory;
    bool is_held;
    char name[FILELOCK_NAME_MAX_BYTES];
};

/* From the words of mailbox_delivery_lock; others are passed over. */
MUST_USE unsigned filelock_kinds_from_names(struct span names);
/* 0, also where it is not wanted or left out; or -1 with errno, EEXIST: somebody else has it. */
MUST_USE int filelock_take_dot(const struct filelock_rules *rules, int directory, const char *name,
                               struct filelock_dot *dot);
void filelock_release_dot(struct filelock_dot *dot);
/* The locks of the open file, which other threads of this process respect as well. They end with
 * the descriptor. 0, or -1 with errno. */
MUST_USE int filelock_take(const struct filelock_rules *rules, int descriptor);

#endif
