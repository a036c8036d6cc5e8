/* local/destinations - the right-hand side of aliases(5), and the lines of a .forward or :include:
 * file: addresses, |commands, /files and :include: files, with commas or line ends between them.
 * Quotes around a whole entry, comments in parentheses, "Name <address>" and a backslash before a
 * user name are understood. The names of aliases are lib/table/alias_source's. Pure.
 * Callers: local/expansion, the fuzzer. */
#ifndef LOCAL_DESTINATIONS_H
#define LOCAL_DESTINATIONS_H

#include "base/arena.h"
#include "base/parse.h"

enum destination_kind {
    DESTINATION_ADDRESS, /* text: as SMTP writes it; perhaps without a domain */
    DESTINATION_COMMAND, /* text: without the bar */
    DESTINATION_FILE,    /* text: begins with a slash, or with "~/" for the user's home directory */
    DESTINATION_INCLUDE  /* text: the path */
};

struct destination {
    enum destination_kind kind;
    struct span text;
    bool is_final; /* \user: into the mailbox, whatever alias or .forward file there is */
};

/* Takes the next destination off *rest; its text lies in the arena or in the input. is_at_line:
 * a "#" at the beginning is a comment's, as at the beginning of every line.
 * PARSE_NEED_MORE: there is none left. PARSE_MALFORMED: an entry that makes no sense, *rest is
 * behind it. PARSE_TOO_LONG: the arena is full. */
MUST_USE enum parse_result destination_next(struct span *rest, bool is_at_line, struct arena *arena,
                                            struct destination *destination);

#endif
