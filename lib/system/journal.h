/* system/journal - lines that outlive a process: appended to one of two files that were opened
 * before the sandbox; when much of that is no longer true, what is goes to the other one, which
 * counts from the moment when its head is written. A killed process loses nothing that it had
 * appended; of a power cut the last lines may be the victims, never those from before a rewriting.
 * Interface: journal_*(). Callers: stsd, reportd, verify. */
#ifndef SYSTEM_JOURNAL_H
#define SYSTEM_JOURNAL_H

#include "base/buffer.h"

struct journal {
    int descriptors[2];
    size_t active;
    uint64_t generation;   /* of the active file; 0: nothing was ever written */
    uint64_t length_bytes; /* of the active file */
    bool has_failed;       /* the last write did: the next one has to be journal_rewrite() */
    /* May be set once it is open: nothing waits for the disk. Of what was rewritten before a power
     * cut something may then be missing, which the former file fills up as far as it goes. */
    bool is_hasty;
};

/* NAME.0 and NAME.1 in the directory, made when they are not there. -1 and errno when that fails.
 */
MUST_USE int journal_open(struct journal *journal, int directory, const char *name);

/* Hands every line, without its LF, to take; what is later comes later. A line that a crash cut off
 * is dropped. A file of more than maximum_bytes counts for nothing. */
void journal_load(struct journal *journal, size_t maximum_bytes,
                  void (*take)(void *context, struct span line), void *context);

/* Lines with their LFs. 0, or errno; then the journal is to be rewritten. */
MUST_USE int journal_append(struct journal *journal, struct span lines);

/* Is it time to write anew, when the lines that count have so many bytes? */
MUST_USE bool journal_is_due(const struct journal *journal, size_t live_bytes);

/* Everything that counts: next appends some lines, and returns false when there are no more. 0, or
 * errno; then the former file goes on to count. */
MUST_USE int journal_rewrite(struct journal *journal,
                             bool (*next)(void *context, struct buffer *lines), void *context);

#endif
