/* tools/postkick - wake a daemon, for scripts that know Postfix's way to do it. man/postkick.1
 * The queue manager is asked to try everything, which postqueue does; pickup and all others see by
 * themselves what there is to do. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tool.h"

/* Postfix's requests: D, A and F ask for deferred mail; I and W for what is new anyhow. */
static bool wants_flush(const char *service, const char *request)
{
    return strcmp(service, "qmgr") == 0 && strpbrk(request, "DAF") != NULL;
}

static bool is_request(const char *service, const char *request)
{
    const char *known = strcmp(service, "qmgr") == 0 ? "ADFIW" : "W";
    return request[0] != '\0' && strspn(request, known) == strlen(request) &&
           (known[1] || strcmp(service, "pickup") == 0);
}

static int flush(const struct conf_tools *settings, const char *directory)
{
    char *program = NULL;
    if (asprintf(&program, "%.*s/postqueue", SPAN_PRINTF(settings->command_directory)) < 0)
        return EX_OSERR;
    (void)execl(program, "postqueue", "-c", directory, "-f", (char *)NULL);
    (void)fprintf(stderr, "postkick: fatal: cannot run %s: %s\n", program, strerror(errno));
    free(program);
    return EX_UNAVAILABLE;
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct conf_tools settings;
    const char *directory = NULL;
    for (int option; (option = getopt(argc, argv, "c:v")) != -1;) {
        if (option == 'c')
            directory = optarg;
        else if (option == '?')
            argc = 0;
    }
    if (argc - optind != 3) {
        (void)fprintf(
            stderr, "postkick: fatal: usage: postkick [-c directory] [-v] class service request\n");
        return EX_USAGE;
    }
    const char *class = argv[optind], *service = argv[optind + 1], *request = argv[optind + 2];
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("postkick", directory, &conf_part_tools, &arena, &settings))
        return EX_CONFIG;
    if ((strcmp(class, "public") != 0 && strcmp(class, "private") != 0) ||
        !is_request(service, request)) {
        (void)fprintf(stderr, "postkick: fatal: no service %s/%s takes the request \"%s\"\n", class,
                      service, request);
        return EX_UNAVAILABLE;
    }
    return wants_flush(service, request) ? flush(&settings, conf_directory(directory)) : EX_OK;
}
