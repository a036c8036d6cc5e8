/* tools/postlock - lock a mailbox file while a command runs. man/postlock.1
 * The locks are local's: who uses this command and local are never in the file at once. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf/local.h"
#include "system/file.h"
#include "system/filelock.h"
#include "tool.h"

static struct filelock_dot dot; /* for who ends us */

static int fail(const char *what, const char *name)
{
    (void)fprintf(stderr, "postlock: fatal: %s %s: %s\n", what, name, strerror(errno));
    return EX_TEMPFAIL;
}

static void on_signal(int number)
{
    if (dot.is_held)
        (void)unlinkat(dot.directory, dot.name, 0);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static int run(char **command)
{
    int status;
    const pid_t child = fork();
    if (child == 0) {
        (void)execvp(command[0], command);
        _exit(fail("cannot run", command[0]));
    }
    if (child < 0)
        return fail("cannot run", command[0]);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return fail("cannot wait for", command[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
}

/* What was locked must still be what has the name. */
static bool is_same(int file, const char *path)
{
    struct stat ours, theirs;
    return fstat(file, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

static int run_locked(const struct filelock_rules *rules, const char *path, char **command)
{
    int file = -1;
    int status = EX_TEMPFAIL;
    if (filelock_take_dot(rules, AT_FDCWD, path, &dot) != 0)
        return fail("cannot make the lock file of", path);
    for (unsigned tries = 0; tries < rules->attempts; tries++) {
        file = open(path, O_RDWR | O_CREAT | O_NOCTTY | O_CLOEXEC, 0600);
        if (file < 0) {
            (void)fail("cannot open", path);
            break;
        }
        if (filelock_take(rules, file) != 0) {
            (void)fail("cannot lock", path);
            break;
        }
        if (is_same(file, path)) {
            status = run(command);
            break;
        }
        file_close(file); /* somebody put another in its place meanwhile */
        file = -1;
    }
    if (file >= 0)
        file_close(file); /* and with it its locks */
    filelock_release_dot(&dot);
    return status;
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct conf_local settings;
    static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    const char *directory = NULL, *style = NULL;
    /* "+": the command's options are its own. */
    for (int option; (option = getopt(argc, argv, "+c:l:v")) != -1;) {
        if (option == 'c')
            directory = optarg;
        else if (option == 'l')
            style = optarg;
        else if (option == '?')
            argc = 0;
    }
    const unsigned kinds = style ? filelock_kinds_from_names(span_from_string(style)) : 0;
    if (argc - optind < 2 || (style && kinds == 0)) {
        (void)fprintf(stderr, "postlock: fatal: usage: postlock [-c directory] [-l fcntl|flock|"
                              "dotlock] [-v] file command...\n");
        return EX_USAGE;
    }
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("postlock", directory, &conf_part_local, &arena, &settings))
        return EX_CONFIG;
    const struct filelock_rules rules = {
        .kinds = style ? kinds : filelock_kinds_from_names(settings.mailbox_delivery_lock),
        .attempts = settings.deliver_lock_attempts,
        .delay_ms = settings.deliver_lock_delay_ms,
        .stale_ms = settings.stale_lock_time_ms};
    for (size_t i = 0; i < ARRAY_LENGTH(endings); i++)
        (void)signal(endings[i], on_signal);
    return run_locked(&rules, argv[optind], argv + optind + 1);
}
