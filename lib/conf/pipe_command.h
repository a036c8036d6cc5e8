/* conf/pipe_command - what stands behind "pipe" in master.cf: "flags=R user=vmail argv=/path ...",
 * and the macros ($sender, ${recipient}) in its command line, as in Postfix's pipe(8). Pure.
 * Callers: master/plan (so that a mistake is found before the start), local/pipe, the fuzzer. */
#ifndef CONF_PIPE_COMMAND_H
#define CONF_PIPE_COMMAND_H

#include "base/arena.h"
#include "base/buffer.h"
#include "conf/notice.h"

enum conf_pipe_flag {
    CONF_PIPE_BLANK_LINE = 1 << 0,      /* B: an empty line at the end */
    CONF_PIPE_DELIVERED_TO = 1 << 1,    /* D: Delivered-To, and refuse what has it already */
    CONF_PIPE_FROM_LINE = 1 << 2,       /* F: "From sender date" in front */
    CONF_PIPE_ORIGINAL_TO = 1 << 3,     /* O: X-Original-To */
    CONF_PIPE_RETURN_PATH = 1 << 4,     /* R: Return-Path */
    CONF_PIPE_FINAL = 1 << 5,           /* X: the command is the end of the way */
    CONF_PIPE_FOLD_DOMAIN = 1 << 6,     /* h: domains in lower case */
    CONF_PIPE_QUOTE = 1 << 7,           /* q: local parts quoted where they must be */
    CONF_PIPE_FOLD_LOCAL_PART = 1 << 8, /* u: local parts in lower case */
    CONF_PIPE_DOUBLE_DOT = 1 << 9,      /* .: a dot before lines that begin with one */
    CONF_PIPE_QUOTE_FROM = 1 << 10,     /* >: a ">" before lines that begin with "From " */
};

enum { CONF_PIPE_LINE_END_MAX_BYTES = 16 };

struct conf_pipe_command {
    unsigned flags; /* of enum conf_pipe_flag */
    struct span user;
    struct span group; /* empty: the user's */
    struct span chroot;
    struct span directory;
    struct span line_end;
    struct span null_sender;   /* what the null reverse-path is called */
    uint64_t size_limit_bytes; /* 0: none */
    const struct span *arguments;
    size_t argument_count; /* at least one: the program */
};

enum conf_pipe_macro {
    CONF_PIPE_CLIENT_ADDRESS,
    CONF_PIPE_CLIENT_HELO,
    CONF_PIPE_CLIENT_HOSTNAME,
    CONF_PIPE_CLIENT_PORT,
    CONF_PIPE_CLIENT_PROTOCOL,
    CONF_PIPE_ENVID,
    CONF_PIPE_NEXTHOP,
    CONF_PIPE_QUEUE_ID,
    CONF_PIPE_SASL_METHOD,
    CONF_PIPE_SASL_SENDER,
    CONF_PIPE_SASL_USERNAME,
    CONF_PIPE_SENDER,
    CONF_PIPE_SIZE,
    /* An argument with one of these is made once for each recipient. */
    CONF_PIPE_DOMAIN,
    CONF_PIPE_EXTENSION,
    CONF_PIPE_MAILBOX,
    CONF_PIPE_ORIGINAL_RECIPIENT,
    CONF_PIPE_RECIPIENT,
    CONF_PIPE_USER,
    CONF_PIPE_MACRO_COUNT
};

struct conf_pipe_values {
    struct span of[CONF_PIPE_MACRO_COUNT];
};

/* words: what follows the program and its options. Spans point into them, or into the arena. False
 * with *error, which names the word. */
MUST_USE bool conf_pipe_parse(const struct span *words, size_t count, struct arena *arena,
                              struct conf_pipe_command *command, struct conf_error *error);
/* "flags=R" and so on may hold no macros; arguments may. */
MUST_USE bool conf_pipe_is_per_recipient(struct span argument);
/* Appends the argument with its macros replaced. False: one is unknown, or a brace does not close;
 * conf_pipe_parse() has found that. */
MUST_USE bool conf_pipe_expand(struct span argument, const struct conf_pipe_values *values,
                               struct buffer *output);

#endif
