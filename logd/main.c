/* logd - collect the log lines of all processes and write them to syslog or a file.
 * Manual: man/logd.8. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "conf/logd.h"
#include "senders.h"

static const char syslog_socket[] = "/dev/log";

struct logd {
    struct log_destination destination;
    struct log_order order;
    struct log_senders senders;
    int file;       /* opened before the sandbox closed; -1: syslog */
    char host[256]; /* without domain */
    char tag[300];
    struct log_source own_source;
};

/* Lines of logd itself take the short way. */
static void on_own_line(struct maillog *log)
{
    struct logd *logd = log->context;
    struct span rest = buffer_span(&log->batch);
    struct log_record record;
    while (log_record_next(&rest, &record) == PARSE_OK)
        log_destination_put(&logd->destination, &logd->own_source, &record);
    buffer_reset(&log->batch);
}

static bool is_below_prefixes(struct span path, struct span prefixes)
{
    struct span prefix;
    while (span_next_word(&prefixes, ", \t\r\n", &prefix))
        if (span_starts_with(path, prefix) &&
            (path.length == prefix.length || path.bytes[prefix.length] == '/' ||
             span_ends_with(prefix, SPAN("/"))))
            return span_find(path, SPAN("/../")) == path.length;
    return false;
}

/* Our own standard output is /dev/null; what the operator means is master's. */
static int open_masters_output(void)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%ld/fd/1", (long)getppid());
    return open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
}

static bool open_file(struct service *service, struct logd *logd)
{
    const struct conf_logd *settings = service->settings;
    const char *path = arena_string(&service->arena, settings->maillog_file);
    uint64_t mode = 0600;
    if (!path || !is_below_prefixes(settings->maillog_file, settings->maillog_file_prefixes)) {
        service_say(service, "maillog_file = %s is not below any of maillog_file_prefixes = %.*s",
                    path, SPAN_PRINTF(settings->maillog_file_prefixes));
        return false;
    }
    if (!number_parse_octal(settings->maillog_file_permissions, 0777, &mode)) {
        service_say(service, "maillog_file_permissions = %.*s is not an octal mode",
                    SPAN_PRINTF(settings->maillog_file_permissions));
        return false;
    }
    if (span_equals(settings->maillog_file, SPAN("/dev/stdout"))) {
        logd->file = open_masters_output();
    } else {
        const mode_t previous = umask(0);
        logd->file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
                          (mode_t)mode);
        (void)umask(previous);
    }
    if (logd->file < 0)
        service_say(service, "cannot open maillog_file = %s: %s", path, strerror(errno));
    return logd->file >= 0;
}

static bool prepare(struct service *service)
{
    const struct conf_logd *settings = service->settings;
    struct logd *logd = arena_alloc(&service->arena, sizeof(*logd));
    ASSERT(logd);
    service->state = logd;
    logd->file = -1;
    if (gethostname(logd->host, sizeof(logd->host) - 1) != 0)
        (void)snprintf(logd->host, sizeof(logd->host), "localhost");
    logd->host[strcspn(logd->host, ".")] = '\0';
    if (!span_is_empty(settings->maillog_file)) {
        service->profile.promises &= ~(unsigned)SANDBOX_SYSLOG;
        return open_file(service, logd);
    }
    service->profile.root_directory = NULL; /* the way to syslog's socket, should it be renewed */
    return true;
}

static bool begin(struct service *service)
{
    const struct conf_logd *settings = service->settings;
    struct logd *logd = service->state;
    struct log_formatter formatter;
    unsigned facility;
    const bool is_syslog = logd->file < 0;
    const bool is_json = span_equals(settings->maillog_format, SPAN("json"));
    if (!log_facility_parse(settings->syslog_facility, &facility))
        return false;
    log_formatter_init(&formatter,
                       is_syslog ? LOG_FORMAT_SYSLOG
                       : is_json ? LOG_FORMAT_JSON
                                 : LOG_FORMAT_TEXT,
                       facility, span_from_string(logd->host));
    (void)snprintf(logd->tag, sizeof(logd->tag), "%.*s/logd", SPAN_PRINTF(settings->syslog_name));
    logd->own_source = (struct log_source){span_from_string(logd->tag), (uint32_t)getpid()};
    if (!log_destination_init(&logd->destination, service->loop, &formatter, &logd->own_source,
                              is_syslog ? syslog_socket : NULL, logd->file)) {
        service_say(service, "cannot use maillog_file: %s", strerror(errno));
        return false;
    }
    log_order_init(&logd->order, service->loop, &logd->destination);
    log_senders_init(&logd->senders, service, &logd->order);
    service->log.on_line = on_own_line;
    service->log.context = logd;
    on_own_line(&service->log);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct logd *logd = service->state;
    log_senders_add(&logd->senders, peer, descriptor);
}

/* The others end first, and what they have to say about it is still written. */
static void drain(struct service *service)
{
    struct logd *logd = service->state;
    if (!list_is_empty(&logd->senders.list))
        return;
    log_order_flush(&logd->order);
    log_destination_flush(&logd->destination);
    service_leave(service, 0);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "logd",
        .part = &conf_part_logd,
        .promises = SANDBOX_SYSLOG,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
