/* system/command - run another program: a message on its standard input, its output collected.
 * The caller is a process that is already who the program is to run as, has no sandbox (a filter
 * would be the program's, too) and one thread; it waits until the program ends. The program gets an
 * environment of its own, a process group of its own and no descriptor but 0, 1 and 2; past the
 * time limit all of the group is killed, and it does not outlive the caller. No shell unless the
 * text needs one. Callers: local's runner, pipe. */
#ifndef SYSTEM_COMMAND_H
#define SYSTEM_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/outcome.h"

enum {
    COMMAND_OUTPUT_MAX_BYTES = 1024, /* what is kept of it; the rest is read and dropped */
    COMMAND_WORDS_MAX = 1000
};

struct command {
    struct span text;               /* for reports: as the operator or user wrote it */
    const char *const *arguments;   /* NULL at the end; the first is looked for in PATH */
    const char *const *environment; /* NAME=value, NULL at the end: all that the program gets */
    const char *directory;          /* NULL: where the caller is */
    int64_t time_limit_ms;
    /* Runs in a process of its own and writes the message to the descriptor. 0: done, or the
     * program did not want all of it (EPIPE); else an error number of its own, to be found in the
     * result, and the program is killed before it sees an end of its input. NULL: the program's
     * input is empty. */
    int (*feed)(void *context, int descriptor);
    void *feed_context;
};

enum command_end {
    COMMAND_EXITED,     /* number: exit status */
    COMMAND_SIGNALLED,  /* number: the signal */
    COMMAND_TIMED_OUT,  /* killed */
    COMMAND_NOT_STARTED /* number: errno of what failed on our side */
};

struct command_result {
    enum command_end end;
    int number;
    int feed_error; /* what feed returned; EIO when it died */
    size_t output_length;
    char output[COMMAND_OUTPUT_MAX_BYTES]; /* one line: control characters are spaces */
};

void command_run(const struct command *command, struct command_result *result);

/* What became of the message. OK: the reason is the output. Otherwise, in this order: a message
 * that could not be written to the end is put off; an enhanced status code at the head of the
 * output, the meaning of the exit status in sysexits.h, "Command died". The reason lives in the
 * arena. */
MUST_USE struct outcome command_outcome(const struct command *command,
                                        const struct command_result *result, struct arena *arena);

/* The arguments of a command text. A path and words without characters that mean something to a
 * shell are split at white space; otherwise, or with a shell given, it is for the shell ("/bin/sh
 * -c text", or the words of shell and then the text). NULL: no words at all, too many, a NUL, or
 * memory is out. */
MUST_USE const char *const *command_split(struct span text, struct span shell, struct arena *arena);

#endif
