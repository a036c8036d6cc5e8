/* tools/posthouse - the operator's command: start, stop, reload, look at an instance.
 * What it does itself is little: master starts and checks, and a running master is asked over its
 * socket. Words and exit statuses are those of Postfix's postfix(1). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"
#include "base/number.h"
#include "conf/instance.h"
#include "password.h"
#include "system/clock.h"
#include "system/file.h"

enum {
    ANSWER_TIMEOUT_MS = 60000,
    STATUS_USAGE = 64,
    GONE_POLL_MS = 20,
    UPGRADE_POLL_MS = 100,
    GONE_TIMEOUT_MS = 10000,
};

struct command {
    struct arena arena;
    const char *directory; /* of main.cf */
    bool is_verbose;
    char *daemon_directory;
    char *queue_directory;
    char *run_directory;
};

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

static void say(const char *format, ...)
{
    va_list arguments;
    (void)fputs("posthouse: ", stderr);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

/* ---- configuration ---- */

static char *read_place(struct command *command, const struct conf_instance *instance,
                        const char *name)
{
    struct buffer value;
    struct conf_error error;
    char *place = NULL;
    buffer_init(&value, NULL, PATH_MAX);
    if (!conf_instance_value(instance, NULL, span_from_string(name), &value, &error))
        say("fatal: %s", error.text);
    else if (!buffer_ok(&value) || span_is_empty(buffer_span(&value)))
        say("fatal: %s: a directory is needed", name);
    else
        place = arena_string(&command->arena, buffer_span(&value));
    buffer_release(&value);
    return place;
}

static bool read_configuration(struct command *command, const char *argument)
{
    static char path[PATH_MAX];
    struct conf_instance instance;
    struct conf_notices notices;

    arena_init(&command->arena, CONF_INSTANCE_ARENA_BYTES, 0);
    conf_notices_init(&notices, &command->arena);
    const char *directory = conf_directory(argument);
    command->directory = realpath(directory, path);
    if (!command->directory) {
        say("fatal: configuration directory %s: %s", directory, strerror(errno));
        return false;
    }
    if (!conf_instance_read(command->directory, false, &command->arena, &instance, &notices)) {
        for (const struct conf_notice *notice = notices.first; notice; notice = notice->next)
            if (notice->level == CONF_NOTICE_ERROR)
                say("fatal: %s", notice->text);
        return false;
    }
    command->daemon_directory = read_place(command, &instance, "daemon_directory");
    command->queue_directory = read_place(command, &instance, "queue_directory");
    command->run_directory = read_place(command, &instance, "run_directory");
    return command->daemon_directory && command->queue_directory && command->run_directory;
}

/* ---- is it running ---- */

/* The process that holds the lock; 0 when nobody does; -1 when that cannot be known. */
static pid_t find_master(const struct command *command)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    const struct span path = arena_format((struct arena *)(uintptr_t)&command->arena,
                                          "%s/pid/master.pid%c", command->queue_directory, 0);
    const int descriptor =
        path.bytes ? open((const char *)path.bytes, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    if (descriptor < 0)
        return errno == ENOENT ? 0 : -1;
    const int result = fcntl(descriptor, F_GETLK, &lock);
    file_close(descriptor);
    return result != 0 ? -1 : lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static bool is_running(const struct command *command)
{
    const pid_t master = find_master(command);
    if (master < 0)
        say("fatal: cannot look at %s/pid/master.pid: %s", command->queue_directory,
            strerror(errno));
    else if (master == 0)
        say("fatal: the Posthouse mail system is not running");
    return master > 0;
}

/* ---- commands ---- */

/* Runs master in this process's place. */
static int run_master(const struct command *command, const char *flag)
{
    char *arguments[8];
    size_t count = 0;
    char *path = NULL;
    if (asprintf(&path, "%s/master", command->daemon_directory) < 0) {
        say("fatal: out of memory");
        return EXIT_FAILURE;
    }
    char name[] = "master", directory_flag[] = "-c", verbose_flag[] = "-v";
    arguments[count++] = name;
    arguments[count++] = directory_flag;
    arguments[count++] = (char *)(uintptr_t)command->directory;
    if (command->is_verbose)
        arguments[count++] = verbose_flag;
    if (flag)
        arguments[count++] = (char *)(uintptr_t)flag;
    arguments[count] = NULL;
    (void)execv(path, arguments);
    say("fatal: program %s: %s: install it, or correct daemon_directory", path, strerror(errno));
    free(path);
    return EXIT_FAILURE;
}

static int run_start(struct command *command, bool is_foreground)
{
    const pid_t master = find_master(command);
    if (master > 0) {
        say("fatal: the Posthouse mail system is already running: PID: %d", (int)master);
        return EXIT_FAILURE;
    }
    say("starting the Posthouse mail system");
    return run_master(command, is_foreground ? NULL : "-w");
}

static int run_check(struct command *command)
{
    return run_master(command, "-t");
}

/* The text of the answer, or an empty one after a complaint. */
static bool ask_master(struct command *command, const char *word, int64_t timeout_ms,
                       struct ipc_master_command_reply *reply)
{
    const struct ipc_master_command message = {.command = span_from_string(word)};
    if (ask(command->run_directory, "master.sock", IPC_MASTER_COMMAND, &message,
            IPC_MASTER_COMMAND_REPLY, reply, &command->arena, timeout_ms) == 0)
        return true;
    say("fatal: no answer from master: %s",
        errno == EACCES ? "you are neither root nor its user" : strerror(errno));
    return false;
}

static int run_status(struct command *command)
{
    struct ipc_master_command_reply reply;
    const pid_t master = find_master(command);
    if (master < 0)
        say("fatal: cannot look at %s/pid/master.pid: %s", command->queue_directory,
            strerror(errno));
    else if (master == 0)
        say("the Posthouse mail system is not running");
    else
        say("the Posthouse mail system is running: PID: %d", (int)master);
    if (master > 0 && command->is_verbose) {
        if (!ask_master(command, "status", ANSWER_TIMEOUT_MS, &reply))
            return EXIT_FAILURE;
        (void)printf("%.*s", SPAN_PRINTF(reply.text));
    }
    return master > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* After its answer master has a few things left to close. */
static bool wait_until_gone(const struct command *command)
{
    const int64_t deadline_ms = clock_deadline_after(GONE_TIMEOUT_MS);
    while (find_master(command) > 0) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        (void)usleep(GONE_POLL_MS * 1000);
    }
    return true;
}

static int run_stop(struct command *command, const char *word)
{
    struct ipc_master_command_reply reply;
    if (!is_running(command))
        return EXIT_FAILURE;
    say(strcmp(word, "stop") == 0 ? "stopping the Posthouse mail system"
                                  : "aborting the Posthouse mail system");
    if (!ask_master(command, word, CLOCK_NEVER, &reply))
        return EXIT_FAILURE;
    if (reply.is_done && wait_until_gone(command))
        return EXIT_SUCCESS;
    say("fatal: master does not end: %.*s", SPAN_PRINTF(reply.text));
    return EXIT_FAILURE;
}

static int run_reload(struct command *command)
{
    struct ipc_master_command_reply reply;
    if (!is_running(command))
        return EXIT_FAILURE;
    say("refreshing the Posthouse mail system");
    if (!ask_master(command, "reload", CLOCK_NEVER, &reply))
        return EXIT_FAILURE;
    struct span rest = reply.text, line;
    while (!reply.is_done && span_next_word(&rest, "\n", &line))
        say("fatal: %.*s", SPAN_PRINTF(line));
    return reply.is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The new program's own judgement, before anything is changed. */
static bool check_quietly(struct command *command)
{
    int status;
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        _exit(run_master(command, "-t"));
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* How often the running master was replaced; -1 when it does not say, because it is busy or of a
 * release that speaks otherwise. *error: why the last upgrade was given up. */
static int64_t count_upgrades(struct command *command, struct span *error)
{
    const struct ipc_master_command message = {.command = SPAN("upgrades")};
    struct ipc_master_command_reply reply;
    struct span count;
    uint64_t number;
    *error = span_empty();
    if (ask(command->run_directory, "master.sock", IPC_MASTER_COMMAND, &message,
            IPC_MASTER_COMMAND_REPLY, &reply, &command->arena, ANSWER_TIMEOUT_MS) != 0 ||
        !reply.is_done || !span_split_once(reply.text, ' ', &count, error) ||
        !number_parse_uint64(count, INT32_MAX, &number))
        return -1;
    return (int64_t)number;
}

/* By a signal: a master of another release would not understand a message. */
static int run_upgrade(struct command *command)
{
    struct span error;
    if (!is_running(command))
        return EXIT_FAILURE;
    if (!check_quietly(command))
        return EXIT_FAILURE;
    const pid_t master = find_master(command);
    const int64_t before = count_upgrades(command, &error);
    const int64_t deadline_ms = clock_deadline_after(ANSWER_TIMEOUT_MS);
    say("upgrading the Posthouse mail system");
    if (kill(master, SIGUSR2) != 0) {
        say("fatal: cannot signal master: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    while (clock_monotonic_ms() < deadline_ms) {
        (void)usleep(UPGRADE_POLL_MS * 1000);
        const int64_t count = count_upgrades(command, &error);
        if (error.length > 0) {
            say("fatal: %.*s", SPAN_PRINTF(error));
            return EXIT_FAILURE;
        }
        if (count > before)
            return EXIT_SUCCESS;
    }
    say("fatal: the new master does not answer; see the log");
    return EXIT_FAILURE;
}

static int run_flush(struct command *command)
{
    const struct ipc_queue_flush message = {.site = span_empty()};
    struct ipc_queue_flush_reply reply;
    if (!is_running(command))
        return EXIT_FAILURE;
    const struct span directory =
        arena_format(&command->arena, "%s/public%c", command->queue_directory, 0);
    if (!directory.bytes ||
        ask((const char *)directory.bytes, "qmgr", IPC_QUEUE_FLUSH, &message, IPC_QUEUE_FLUSH_REPLY,
            &reply, &command->arena, ANSWER_TIMEOUT_MS) != 0) {
        say("fatal: no answer from qmgr: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (outcome_is_ok(&reply.outcome))
        return EXIT_SUCCESS;
    say("fatal: qmgr: %.*s", SPAN_PRINTF(reply.outcome.reason));
    return EXIT_FAILURE;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: posthouse [-c directory] [-v] "
                          "abort | check | flush | reload | start | start-fg | status | stop | "
                          "upgrade\n");
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    static struct command command;
    const char *directory = NULL;

    for (int option; (option = getopt(argc, argv, "+c:v")) != -1;) {
        if (option == 'c')
            directory = optarg;
        else if (option == 'v')
            command.is_verbose = true;
        else
            return usage();
    }
    /* Has options of its own, and no instance. */
    if (optind < argc && strcmp(argv[optind], "password") == 0)
        return password_command(argc - optind, argv + optind);
    if (argc - optind != 1)
        return usage();
    const char *word = argv[optind];
    static const char *const words[] = {"abort",    "check",  "flush", "reload", "start",
                                        "start-fg", "status", "stop",  "upgrade"};
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        is_known = is_known || strcmp(word, words[i]) == 0;
    if (!is_known)
        return usage();
    if (!read_configuration(&command, directory))
        return EXIT_FAILURE;
    if (strcmp(word, "start") == 0 || strcmp(word, "start-fg") == 0)
        return run_start(&command, word[5] != '\0');
    if (strcmp(word, "check") == 0)
        return run_check(&command);
    if (strcmp(word, "status") == 0)
        return run_status(&command);
    if (strcmp(word, "reload") == 0)
        return run_reload(&command);
    if (strcmp(word, "upgrade") == 0)
        return run_upgrade(&command);
    if (strcmp(word, "flush") == 0)
        return run_flush(&command);
    return run_stop(&command, word);
}
