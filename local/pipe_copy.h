/* local/pipe_copy - a message as a command reads it: a few lines in front, then the content of the
 * queue file with the line ends and escapes that the service asks for.
 * pipe_copy_piece() is pure: the same result however the content was split.
 * Callers: local/pipe_run, in the process that feeds the command; the fuzzer. */
#ifndef LOCAL_PIPE_COPY_H
#define LOCAL_PIPE_COPY_H

#include "agent/content.h"
#include "base/buffer.h"
#include "conf/pipe_command.h"

/* The lines in front; what the flags do not ask for is not looked at. */
struct pipe_head {
    struct span sender; /* as for null_sender, where it is null */
    struct span original_recipient;
    struct span recipient;
    int64_t time_s;
    int offset_minutes;
};

struct pipe_copy {
    const struct conf_pipe_command *command;
    bool is_line_begun;
    bool has_carriage_return; /* not written yet */
    size_t matched_bytes;     /* of "From " at the beginning of a line, not written yet */
};

void pipe_copy_init(struct pipe_copy *copy, const struct conf_pipe_command *command);
void pipe_copy_put_head(const struct conf_pipe_command *command, const struct pipe_head *head,
                        struct buffer *out);
void pipe_copy_piece(struct pipe_copy *copy, struct span piece, struct buffer *out);
/* What is still held, and the empty line of flag B. */
void pipe_copy_end(struct pipe_copy *copy, struct buffer *out);

/* Reads the content once: does it match its checksums, and does its header have this Delivered-To?
 * (empty: do not look). */
enum pipe_check { PIPE_CHECK_OK, PIPE_CHECK_READ_FAILED, PIPE_CHECK_CORRUPT, PIPE_CHECK_LOOPS };
MUST_USE enum pipe_check pipe_copy_check(const struct message_content *content,
                                         struct span loop_recipient);

/* Writes all of it to a pipe: 0, also when nobody reads it any more, or an error number. */
MUST_USE int pipe_copy_write(const struct message_content *content,
                             const struct conf_pipe_command *command, const struct pipe_head *head,
                             int out);

#endif
