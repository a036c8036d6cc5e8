/* master/spawn - see spawn.h. */
#include "config.h"

#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_DESCRIPTOR = 3, SAFE_DESCRIPTOR = 10, STATUS_CANNOT_RUN = 127 };

/* Of our environment a child sees the time zone. */
static const char *const kept_variables[] = {
    "TZ",
#ifdef POSTHOUSE_SANITIZERS
    "ASAN_OPTIONS",
    "UBSAN_OPTIONS",
    "LSAN_OPTIONS",
#endif
};

static void reset_signals(void)
{
    sigset_t none;
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        (void)sigaction(number, &by_default, NULL); /* fails for those that cannot be changed */
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Between fork and exec: async-signal-safe calls only. The three descriptors stand out of the way
 * first, so that none is overwritten before it is used. */
static bool arrange_descriptors(const struct spawn_request *request)
{
    const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int control = fcntl(request->control, F_DUPFD_CLOEXEC, SAFE_DESCRIPTOR);
    const int errors = fcntl(request->errors, F_DUPFD_CLOEXEC, SAFE_DESCRIPTOR);
    const int output =
        request->output < 0 ? nowhere : fcntl(request->output, F_DUPFD_CLOEXEC, SAFE_DESCRIPTOR);
    const int input = nowhere < 0 ? -1 : fcntl(nowhere, F_DUPFD_CLOEXEC, SAFE_DESCRIPTOR);
    return control >= 0 && errors >= 0 && output >= 0 && input >= 0 &&
           dup2(output, STDOUT_FILENO) >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
           dup2(errors, STDERR_FILENO) >= 0 && dup2(control, CONTROL_DESCRIPTOR) >= 0 &&
           close_range(CONTROL_DESCRIPTOR + 1, ~0U, 0) == 0;
}

NORETURN static void become_program(const struct spawn_request *request, char *const *arguments,
                                    char *const *environment)
{
    (void)setpgid(0, 0); /* a terminal's signals are for master alone */
    reset_signals();
    if (arrange_descriptors(request) && chdir("/") == 0)
        (void)execve(request->path, arguments, environment);
    const char *reason = strerrordesc_np(errno);
    static const char begin[] = "cannot run ";
    if (write(STDERR_FILENO, begin, sizeof(begin) - 1) < 0 ||
        write(STDERR_FILENO, request->path, strlen(request->path)) < 0 ||
        write(STDERR_FILENO, ": ", 2) < 0 ||
        (reason && write(STDERR_FILENO, reason, strlen(reason)) < 0))
        _exit(STATUS_CANNOT_RUN);
    _exit(STATUS_CANNOT_RUN);
}

pid_t spawn_child(const struct spawn_request *request)
{
    char *environment[ARRAY_LENGTH(kept_variables) + 1] = {NULL};
    char *arguments[2] = {NULL, NULL};
    size_t count = 0;
    pid_t pid = -1;
    const char *slash = strrchr(request->path, '/');

    arguments[0] = strdup(slash ? slash + 1 : request->path);
    if (!arguments[0])
        return -1;
    for (size_t i = 0; i < ARRAY_LENGTH(kept_variables); i++) {
        const char *value = getenv(kept_variables[i]);
        if (value && asprintf(&environment[count], "%s=%s", kept_variables[i], value) >= 0)
            count++;
    }
    environment[count] = NULL;
    pid = fork();
    if (pid == 0)
        become_program(request, arguments, environment);
    for (size_t i = 0; i < count; i++)
        free(environment[i]);
    free(arguments[0]);
    return pid;
}
