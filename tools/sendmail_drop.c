/* tools/sendmail_drop - hand a message to postdrop, which may store it. See sendmail.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sendmail.h"
#include "system/file.h"

enum { RECORD_BYTES = 2 * DROP_RECORD_MAX_BYTES };

static char *path_of(const struct sendmail *sendmail, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s/%s", SPAN_PRINTF(sendmail->settings.command_directory), name) < 0)
        sendmail_die(EX_OSERR, "out of memory");
    return path;
}

void sendmail_exec(const struct sendmail *sendmail, const char *name, const char *title,
                   const char *const *arguments)
{
    const char *argv[8] = {title};
    size_t count = 1;
    char *path = path_of(sendmail, name);
    for (; *arguments && count < ARRAY_LENGTH(argv) - 1; arguments++)
        argv[count++] = *arguments;
    (void)execv(path, (char *const *)(uintptr_t)argv);
    sendmail_die(EX_OSERR, "cannot run %s: %s", path, strerror(errno));
}

static void become_postdrop(const struct sendmail *sendmail, const int input[2],
                            const int output[2])
{
    const char *const arguments[] = {"-r", "-c", sendmail->directory, NULL};
    if (dup2(input[0], STDIN_FILENO) < 0 || dup2(output[1], STDOUT_FILENO) < 0)
        _exit(EX_OSERR);
    (void)signal(SIGPIPE, SIG_DFL);
    sendmail_exec(sendmail, "postdrop", "postdrop", arguments);
}

static void write_all(struct sendmail_drop *drop, const struct buffer *bytes)
{
    struct span rest = buffer_span(bytes);
    if (!buffer_ok(bytes))
        sendmail_die(EX_SOFTWARE, "out of memory");
    while (rest.length && !drop->has_failed) {
        const ssize_t count = write(drop->input, rest.bytes, rest.length);
        if (count < 0 && errno == EINTR)
            continue;
        drop->has_failed = count < 0;
        if (count > 0)
            rest = span_after(rest, (size_t)count);
    }
}

void sendmail_drop_begin(const struct sendmail *sendmail, const struct drop_header *header,
                         struct sendmail_drop *drop)
{
    int input[2], output[2];
    struct buffer bytes;
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0)
        sendmail_die(EX_OSERR, "cannot make a pipe: %s", strerror(errno));
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGCHLD, SIG_DFL); /* or its status would be lost */
    const pid_t process = fork();
    if (process < 0)
        sendmail_die(EX_TEMPFAIL, "cannot fork: %s", strerror(errno));
    if (process == 0)
        become_postdrop(sendmail, input, output);
    file_close(input[0]);
    file_close(output[1]);
    *drop = (struct sendmail_drop){.input = input[1], .output = output[0], .process = process};
    buffer_init(&bytes, NULL, RECORD_BYTES);
    drop_append_header(header, &bytes);
    write_all(drop, &bytes);
    buffer_release(&bytes);
}

void sendmail_drop_recipient(struct sendmail_drop *drop, const struct queue_recipient *recipient)
{
    struct buffer bytes;
    buffer_init(&bytes, NULL, RECORD_BYTES);
    drop_append_recipient(recipient, &bytes);
    if (!buffer_ok(&bytes)) {
        (void)sendmail_drop_finish(drop, false);
        sendmail_die(EX_USAGE, "not a recipient address: %.*s",
                     SPAN_PRINTF(span_first(recipient->forward_path, 200)));
    }
    write_all(drop, &bytes);
    drop->written.recipient_count++;
    buffer_release(&bytes);
}

void sendmail_drop_text(struct sendmail_drop *drop, struct span text)
{
    struct buffer bytes;
    buffer_init(&bytes, NULL, RECORD_BYTES);
    while (text.length && !drop->has_failed) {
        const struct span piece = span_first(text, DROP_TEXT_MAX_BYTES);
        drop_append_text(piece, &bytes);
        write_all(drop, &bytes);
        drop->written.text_bytes += piece.length;
        text = span_after(text, piece.length);
        buffer_reset(&bytes);
    }
    buffer_release(&bytes);
}

static void read_queue_id(struct sendmail_drop *drop)
{
    size_t length = 0;
    while (length < sizeof(drop->queue_id) - 1) {
        const ssize_t count =
            read(drop->output, drop->queue_id + length, sizeof(drop->queue_id) - 1 - length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    while (length > 0 && drop->queue_id[length - 1] == '\n')
        length--;
    drop->queue_id[length] = '\0';
}

int sendmail_drop_finish(struct sendmail_drop *drop, bool is_whole)
{
    struct buffer bytes;
    int status = 0;
    buffer_init(&bytes, NULL, RECORD_BYTES);
    if (is_whole) {
        drop_append_end(&drop->written, &bytes);
        write_all(drop, &bytes);
    }
    buffer_release(&bytes);
    file_close(drop->input);
    read_queue_id(drop);
    file_close(drop->output);
    while (waitpid(drop->process, &status, 0) < 0)
        if (errno != EINTR)
            return EX_OSERR;
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}
