/* tools/tool - see tool.h. */
#include "tool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "system/file.h"

const char *tool_name(char **argv, const char *otherwise)
{
    const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;
    if (!argv[0] || !(slash ? slash + 1 : argv[0])[0])
        return otherwise;
    if (slash)
        argv[0] += slash + 1 - argv[0]; /* getopt() says it, too */
    return argv[0];
}

bool tool_load(const char *program, const char *directory, const struct conf_part *part,
               struct arena *arena, void *settings)
{
    struct conf_instance instance;
    struct conf_notices notices;
    conf_notices_init(&notices, arena);
    const bool is_loaded =
        conf_instance_read(conf_directory(directory), false, arena, &instance, &notices) &&
        conf_instance_load(&instance, NULL, part, arena, settings, &notices);
    for (const struct conf_notice *notice = notices.first; notice; notice = notice->next)
        if (notice->level == CONF_NOTICE_ERROR)
            (void)fprintf(stderr, "%s: fatal: %s\n", program, notice->text);
    return is_loaded;
}

static int open_path(const struct conf_tools *settings, const char *below, int flags)
{
    char *path = NULL;
    if (asprintf(&path, "%.*s%s", SPAN_PRINTF(settings->queue_directory), below) < 0)
        return -1;
    const int descriptor = open(path, flags | O_DIRECTORY | O_CLOEXEC);
    free(path);
    return descriptor;
}

int tool_open_queue(const struct conf_tools *settings)
{
    return open_path(settings, "", O_RDONLY);
}

int tool_connect_qmgr(const struct conf_tools *settings)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    /* Through the directory's descriptor: its path may be longer than a socket address. */
    const int directory = open_path(settings, "/public", O_PATH);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/qmgr", directory);
    const int result =
        directory < 0 ? -1
                      : connect(descriptor, (const struct sockaddr *)&address, sizeof(address));
    file_close(directory);
    if (result == 0)
        return descriptor;
    file_close(descriptor);
    return -1;
}
