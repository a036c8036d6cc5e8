/* system/command - see command.h. */
#include "system/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

enum { READ_BYTES = 2048, DRAIN_MAX_READS = 64 };

/* What is set up for one run. */
struct run {
    const struct command *command;
    struct command_result *result;
    int input[2];  /* the program reads [0], the feeder writes [1] */
    int output[2]; /* the program writes [1], we read [0] */
    pid_t program;
    pid_t feeder;
    int program_fd; /* readable when it has ended */
    int feeder_fd;
    int64_t deadline_ms;
};

/* ---- in the children ---- */

/* Whoever kills us means the delivery: a program that went on would make its repetition a double.
 */
static void die_with_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(EX_TEMPFAIL);
}

static void reset_signals(void)
{
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        (void)signal(number, SIG_DFL); /* those that cannot be changed are as they should be */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static NORETURN void give_up(const char *what, const char *name)
{
    (void)dprintf(STDERR_FILENO, "%s %s: %s", what, name, strerrordesc_np(errno));
    _exit(EX_TEMPFAIL); /* our side's trouble: the message waits */
}

static NORETURN void become_program(const struct run *run, pid_t parent)
{
    const struct command *command = run->command;
    die_with_parent(parent);
    (void)setpgid(0, 0); /* the parent does it, too */
    if (dup2(run->output[1], STDERR_FILENO) < 0 || dup2(run->output[1], STDOUT_FILENO) < 0 ||
        dup2(run->input[0], STDIN_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0U, 0) != 0)
        _exit(EX_TEMPFAIL);
    reset_signals();
    (void)umask(077);
    if (command->directory && chdir(command->directory) != 0)
        give_up("cannot change to directory", command->directory);
    environ = (char **)(uintptr_t)command->environment;
    (void)execvp(command->arguments[0], (char *const *)(uintptr_t)command->arguments);
    give_up("cannot run", command->arguments[0]);
}

static NORETURN void become_feeder(const struct run *run, pid_t parent)
{
    die_with_parent(parent);
    (void)signal(SIGPIPE, SIG_IGN);
    file_close(run->input[0]);
    file_close(run->output[0]);
    file_close(run->output[1]);
    const int error = run->command->feed(run->command->feed_context, run->input[1]);
    _exit(error >= 0 && error < 256 ? error : EIO);
}

/* ---- in the parent ---- */

static void end_input(struct run *run)
{
    file_close(run->input[1]);
    run->input[1] = -1;
}

static bool start(struct run *run)
{
    const pid_t parent = getpid();
    run->program = fork();
    if (run->program == 0)
        become_program(run, parent);
    if (run->program < 0)
        return false;
    (void)setpgid(run->program, run->program); /* one of the two comes first */
    run->program_fd = (int)syscall(SYS_pidfd_open, run->program, 0);
    if (run->program_fd < 0)
        return false;
    if (run->command->feed) {
        run->feeder = fork();
        if (run->feeder == 0)
            become_feeder(run, parent);
        if (run->feeder < 0 || (run->feeder_fd = (int)syscall(SYS_pidfd_open, run->feeder, 0)) < 0)
            return false;
    }
    file_close(run->input[0]);
    file_close(run->output[1]);
    run->input[0] = run->output[1] = -1;
    if (!run->command->feed)
        end_input(run);
    return true;
}

static void keep_output(struct command_result *result, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count && result->output_length < sizeof(result->output); i++) {
        const char byte = bytes[i];
        const bool is_control = (byte >= 0 && byte < ' ') || byte == 0x7f;
        result->output[result->output_length++] = is_control ? ' ' : byte;
    }
}

/* False: there is nothing more to read now, or never. */
static bool read_some(struct run *run)
{
    char bytes[READ_BYTES];
    const ssize_t count = read(run->output[0], bytes, sizeof(bytes));
    if (count > 0)
        keep_output(run->result, bytes, (size_t)count);
    else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        file_close(run->output[0]);
        run->output[0] = -1;
    }
    return count > 0;
}

static int wait_for(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void kill_program(const struct run *run)
{
    (void)kill(-run->program, SIGKILL);
    (void)kill(run->program, SIGKILL);
}

/* Only a whole message comes to an end: a program that saw the end of half of one would take it for
 * the message. */
static void take_feeder(struct run *run)
{
    const int status = wait_for(run->feeder);
    run->feeder = 0;
    run->result->feed_error = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    if (run->result->feed_error != 0)
        kill_program(run);
    end_input(run);
}

/* Until the program itself ends: what it leaves in the background may keep its output open. False:
 * the time is over. */
static bool watch(struct run *run)
{
    for (;;) {
        struct pollfd events[3] = {{run->program_fd, POLLIN, 0},
                                   {run->output[0], POLLIN, 0},
                                   {run->feeder > 0 ? run->feeder_fd : -1, POLLIN, 0}};
        const int64_t left_ms = run->deadline_ms - clock_monotonic_ms();
        if (left_ms <= 0)
            return false;
        if (poll(events, 3, left_ms > INT32_MAX ? INT32_MAX : (int)left_ms) < 0) {
            if (errno != EINTR)
                return false;
            continue;
        }
        if (events[2].revents)
            take_feeder(run);
        if (events[1].revents)
            (void)read_some(run);
        if (!events[0].revents)
            continue;
        for (int i = 0; i < DRAIN_MAX_READS && run->output[0] >= 0 && read_some(run); i++)
            ;
        return true;
    }
}

static bool feeder_ends_in_time(const struct run *run)
{
    struct pollfd event = {run->feeder_fd, POLLIN, 0};
    int count = 0;
    do {
        const int64_t left_ms = run->deadline_ms - clock_monotonic_ms();
        count = poll(&event, 1, left_ms <= 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

static void take_status(struct run *run, bool is_in_time)
{
    struct command_result *result = run->result;
    if (!is_in_time)
        kill_program(run);
    const int status = wait_for(run->program);
    result->end = !is_in_time         ? COMMAND_TIMED_OUT
                  : WIFEXITED(status) ? COMMAND_EXITED
                                      : COMMAND_SIGNALLED;
    result->number = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    if (run->feeder <= 0)
        return;
    /* A program that is gone no longer reads, unless something of it is left that does. */
    if (!feeder_ends_in_time(run))
        (void)kill(run->feeder, SIGKILL);
    take_feeder(run);
}

static void trim_output(struct command_result *result)
{
    while (result->output_length > 0 && result->output[result->output_length - 1] == ' ')
        result->output_length--;
}

void command_run(const struct command *command, struct command_result *result)
{
    struct run run = {.command = command,
                      .result = result,
                      .input = {-1, -1},
                      .output = {-1, -1},
                      .program_fd = -1,
                      .feeder_fd = -1,
                      .deadline_ms = clock_deadline_after(command->time_limit_ms)};
    *result = (struct command_result){.end = COMMAND_NOT_STARTED};
    (void)signal(SIGCHLD, SIG_DFL); /* ignored, it would take our children's status away */
    if (pipe2(run.input, O_CLOEXEC) == 0 && pipe2(run.output, O_CLOEXEC) == 0 && start(&run) &&
        file_set_nonblocking(run.output[0]) == 0) {
        take_status(&run, watch(&run));
        trim_output(result);
    } else {
        result->number = errno;
        if (run.program > 0) {
            (void)kill(run.program, SIGKILL);
            (void)wait_for(run.program);
        }
        if (run.feeder > 0) {
            (void)kill(run.feeder, SIGKILL);
            (void)wait_for(run.feeder);
        }
    }
    const int descriptors[] = {run.input[0],  run.input[1],   run.output[0],
                               run.output[1], run.program_fd, run.feeder_fd};
    for (size_t i = 0; i < ARRAY_LENGTH(descriptors); i++)
        file_close(descriptors[i]);
}

/* ---- what it means ---- */

struct exit_meaning {
    int status;
    bool is_temporary;
    uint16_t subject, detail;
    const char *text;
};

static const struct exit_meaning exit_meanings[] = {
    {EX_USAGE, false, 3, 0, "command line usage error"},
    {EX_DATAERR, false, 6, 0, "data format error"},
    {EX_NOINPUT, false, 3, 0, "cannot open input"},
    {EX_NOUSER, false, 1, 1, "user unknown"},
    {EX_NOHOST, false, 1, 2, "host name unknown"},
    {EX_UNAVAILABLE, false, 3, 0, "service unavailable"},
    {EX_SOFTWARE, false, 3, 0, "internal software error"},
    {EX_OSERR, true, 3, 0, "system resource problem"},
    {EX_OSFILE, false, 3, 0, "critical OS file missing"},
    {EX_CANTCREAT, false, 2, 0, "can't create user output file"},
    {EX_IOERR, false, 3, 0, "input/output error"},
    {EX_TEMPFAIL, true, 3, 0, "temporary failure"},
    {EX_PROTOCOL, false, 5, 0, "remote error in protocol"},
    {EX_NOPERM, false, 7, 0, "permission denied"},
    {EX_CONFIG, false, 3, 5, "local configuration error"},
};

static const struct exit_meaning *find_meaning(int status)
{
    for (size_t i = 0; i < ARRAY_LENGTH(exit_meanings); i++)
        if (exit_meanings[i].status == status)
            return &exit_meanings[i];
    return NULL;
}

static struct outcome say(bool is_temporary, uint16_t subject, uint16_t detail, struct span reason)
{
    if (!reason.bytes)
        return outcome_temporary(451, 3, 0, "out of memory");
    return outcome_make(is_temporary ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT,
                        is_temporary ? 451 : 554, subject, detail, reason);
}

static struct outcome exit_outcome(const struct command *command, int status, struct span output,
                                   struct arena *arena)
{
    const struct exit_meaning *meaning = find_meaning(status);
    const char *between = span_is_empty(output) ? "" : ". Command output: ";
    struct enhanced_status code;
    size_t code_bytes = 0;
    if (enhanced_status_parse(output, &code, &code_bytes) && code.class != 2)
        return say(code.class == 4, code.subject, code.detail,
                   arena_copy(arena, span_trim_spaces(span_after(output, code_bytes))));
    if (meaning)
        return say(meaning->is_temporary, meaning->subject, meaning->detail,
                   arena_format(arena, "%s%s%.*s", meaning->text, between, SPAN_PRINTF(output)));
    return say(false, 3, 0,
               arena_format(arena, "Command died with status %d: \"%.*s\"%s%.*s", status,
                            SPAN_PRINTF(command->text), between, SPAN_PRINTF(output)));
}

struct outcome command_outcome(const struct command *command, const struct command_result *result,
                               struct arena *arena)
{
    const struct span output = span_of(result->output, result->output_length);
    const char *between = span_is_empty(output) ? "" : ". Command output: ";
    /* It saw less than the message: whatever it says is about something else. */
    if (result->feed_error != 0 && result->end != COMMAND_TIMED_OUT &&
        result->end != COMMAND_NOT_STARTED)
        return say(true, 3, 0,
                   arena_format(arena, "Command failed: %s: \"%.*s\"",
                                strerrordesc_np(result->feed_error), SPAN_PRINTF(command->text)));
    switch (result->end) {
    case COMMAND_NOT_STARTED:
        return say(true, 3, 0,
                   arena_format(arena, "cannot run \"%.*s\": %s", SPAN_PRINTF(command->text),
                                strerrordesc_np(result->number)));
    case COMMAND_TIMED_OUT:
        return say(true, 3, 0,
                   arena_format(arena, "Command time limit exceeded: \"%.*s\"%s%.*s",
                                SPAN_PRINTF(command->text), between, SPAN_PRINTF(output)));
    case COMMAND_SIGNALLED:
        return say(true, 3, 0,
                   arena_format(arena, "Command died with signal %d: \"%.*s\"%s%.*s",
                                result->number, SPAN_PRINTF(command->text), between,
                                SPAN_PRINTF(output)));
    case COMMAND_EXITED:
        break;
    }
    if (result->number != 0)
        return exit_outcome(command, result->number, output, arena);
    return outcome_make(OUTCOME_OK, 250, 0, 0, arena_copy(arena, output));
}

/* ---- the arguments ---- */

#define WHITE_SPACE " \t\r\n"
#define PLAIN                                                                                      \
    "1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" WHITE_SPACE

/* A first word without a slash may be the shell's own: "exit 67" is seen in many a .forward. */
static bool needs_shell(struct span text, struct span first_word)
{
    if (span_find_byte(first_word, '/') == first_word.length)
        return true;
    for (size_t i = 0; i < text.length; i++)
        if (!span_byte_is_one_of(text, i, PLAIN, sizeof(PLAIN) - 1))
            return true;
    return false;
}

static bool add_words(const char **words, size_t *count, struct span text, struct arena *arena)
{
    for (struct span word; span_next_word(&text, WHITE_SPACE, &word);) {
        if (*count >= COMMAND_WORDS_MAX || !(words[*count] = arena_string(arena, word)))
            return false;
        (*count)++;
    }
    return true;
}

const char *const *command_split(struct span text, struct span shell, struct arena *arena)
{
    const char **words = arena_alloc(arena, (COMMAND_WORDS_MAX + 2) * sizeof(*words));
    struct span rest = text, word;
    size_t count = 0;
    if (!words || span_find_byte(text, '\0') < text.length ||
        !span_next_word(&rest, WHITE_SPACE, &word))
        return NULL;
    if (span_is_empty(shell) && !needs_shell(text, word))
        return add_words(words, &count, text, arena) ? words : NULL;
    if (!add_words(words, &count, span_is_empty(shell) ? SPAN("/bin/sh -c") : shell, arena) ||
        !(words[count++] = arena_string(arena, text)))
        return NULL;
    return words;
}
