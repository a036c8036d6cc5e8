/* master/main - the daemon that starts, wires, watches and restarts all others, and does nothing
 * else. Started by the posthouse command. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "conf/instance.h"
#include "master.h"
#include "system/file.h"

enum { STATUS_USAGE = 64 };

/* Forks; the parent returns when the child has said that all daemons are ready, or is gone: it is
 * the status to exit with. The child gets -1 and goes on in a session of its own. */
static int go_to_background(int *ready_descriptor)
{
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("posthouse: fatal: pipe");
        return EXIT_FAILURE;
    }
    const pid_t pid = fork();
    if (pid < 0) {
        perror("posthouse: fatal: fork");
        return EXIT_FAILURE;
    }
    if (pid > 0) {
        file_close(ends[1]);
        return read(ends[0], &byte, 1) == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    file_close(ends[0]);
    *ready_descriptor = ends[1];
    (void)setsid(); /* cannot fail for a process that was just forked */
    return -1;
}

/* Descriptors 0 to 2 are open, all others closed, whoever started us; but for what the master
 * before us has left to us. */
static bool tidy_descriptors(bool is_heir)
{
    int descriptor;
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    return descriptor >= 0 &&
           close_range(STDERR_FILENO + 1, ~0U, is_heir ? CLOSE_RANGE_CLOEXEC : 0) == 0;
}

static int usage(void)
{
    (void)fprintf(stderr, "usage: master [-c directory] [-t] [-v] [-w]\n");
    return STATUS_USAGE;
}

/* Of the master before us, which has checked nothing less than we would. */
static int parse_descriptor(const char *text)
{
    uint64_t number;
    return number_parse_uint64(span_from_string(text), INT_MAX, &number) && number > STDERR_FILENO
               ? (int)number
               : -1;
}

int main(int argc, char **argv)
{
    struct master_options options = {.ready_descriptor = -1, .handover = -1};
    const char *directory = NULL;
    bool is_check = false, waits = false;
    static char path[PATH_MAX];

    for (int option; (option = getopt(argc, argv, "c:H:tvw")) != -1;) {
        switch (option) {
        case 'c':
            directory = optarg;
            break;
        case 'H':
            options.handover = parse_descriptor(optarg);
            if (options.handover < 0)
                return usage();
            break;
        case 't':
            is_check = true;
            break;
        case 'v':
            options.is_verbose = true;
            break;
        case 'w':
            waits = true;
            break;
        default:
            return usage();
        }
    }
    if (optind != argc)
        return usage();
    if (!tidy_descriptors(options.handover >= 0)) {
        perror("posthouse: fatal: /dev/null");
        return EXIT_FAILURE;
    }
    directory = conf_directory(directory);
    options.directory = realpath(directory, path);
    if (!options.directory) {
        (void)fprintf(stderr, "posthouse: fatal: configuration directory %s: ", directory);
        perror(NULL);
        return EXIT_FAILURE;
    }
    (void)umask(022);
    if (chdir("/") != 0) {
        perror("posthouse: fatal: /");
        return EXIT_FAILURE;
    }
    if (is_check)
        return master_check(&options) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (waits) {
        options.is_background = true;
        const int status = go_to_background(&options.ready_descriptor);
        if (status >= 0)
            return status;
    }
    return master_run(&options);
}
