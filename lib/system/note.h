/* system/note - what this process is working on at this moment, for whoever looks into its death.
 * Each thread has a line in a page that the parent shares; it is written when work on a message or
 * a request begins and cleared when it ends. A task's line (task_note()) comes and goes with the
 * task. When a thread breaks down (a bad access, a failed assertion), the page says which one.
 * The page is written by a process that may have lost its mind: readers trust no byte of it. */
#ifndef SYSTEM_NOTE_H
#define SYSTEM_NOTE_H

#include <stdint.h>

#include "base/span.h"

enum { NOTE_BYTES = 56, NOTE_LINES = 72 };

struct note_page {
    uint32_t broken_line; /* from 1; 0: no thread broke down */
    uint32_t reserved;
    char lines[NOTE_LINES][NOTE_BYTES]; /* ended by a NUL; line 0 is the loop's */
};

/* Maps the page and watches for break-downs; the descriptor stays the caller's. Called once, by
 * the thread of the loop. */
void note_attach(int descriptor);
/* In a child that runs on without exec: the page is its parent's, who is not to be blamed for what
 * somebody with other rights writes there. */
void note_detach(void);
/* Of this thread; longer texts are cut. Costs a copy of the text. */
void note_set(struct span text);
void note_clear(void);

/* The reader's side: a shared page of its own in *page and its descriptor, or -1. */
MUST_USE int note_page_create(struct note_page **page);
void note_page_destroy(struct note_page **page);
/* What the thread that broke down worked on, or else the loop. Empty: nothing that would tell, or
 * not a plain text. Points into a buffer of the caller's. */
struct span note_page_read(const struct note_page *page, char text[NOTE_BYTES]);

#endif
