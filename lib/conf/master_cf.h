/* conf/master_cf - the text of master.cf as a list of services (master(5) syntax).
 * Interface: conf_master_parse(). Pure. Callers: conf/instance, tools/postconf, the fuzzer. */
#ifndef CONF_MASTER_CF_H
#define CONF_MASTER_CF_H

#include "conf/notice.h"

enum { CONF_MASTER_MAX_SERVICES = 1000, CONF_SERVICE_MAX_ARGUMENTS = 2000 };

enum conf_service_type {
    CONF_SERVICE_INET,
    CONF_SERVICE_UNIX,
    CONF_SERVICE_FIFO,
    CONF_SERVICE_PASS,
    CONF_SERVICE_UNIX_DGRAM
};

enum conf_column {
    CONF_COLUMN_SERVICE,
    CONF_COLUMN_TYPE,
    CONF_COLUMN_PRIVATE,
    CONF_COLUMN_UNPRIVILEGED,
    CONF_COLUMN_CHROOT,
    CONF_COLUMN_WAKEUP,
    CONF_COLUMN_PROCESS_LIMIT,
    CONF_COLUMN_COUNT
};

/* -o name=value; the value as written, $name not replaced. */
struct conf_override {
    struct span name;
    struct span value;
};

struct conf_service {
    struct span columns[CONF_COLUMN_COUNT]; /* as written, "-" included */
    enum conf_service_type type;
    bool is_private;
    int64_t wakeup_s; /* 0: never */
    bool wakes_only_when_used;
    bool has_process_limit; /* else the default of the program counts */
    uint32_t process_limit; /* 0: no limit */
    struct span program;
    struct span *arguments; /* after the program, as written but without the braces around {a b} */
    size_t argument_count;
    size_t option_count;             /* arguments before the first that is no option */
    struct conf_override *overrides; /* the -o options among those; the last of one name counts */
    size_t override_count;
    uint32_t line;
};

struct conf_master {
    struct span file;
    struct conf_service *services; /* in the order of the file */
    size_t service_count;
};

/* Fills *master even when lines were wrong (they are left out). False when an error was noted. */
MUST_USE bool conf_master_parse(struct span text, struct span file, struct arena *arena,
                                struct conf_master *master, struct conf_notices *notices);

static inline struct span conf_service_name(const struct conf_service *service)
{
    return service->columns[CONF_COLUMN_SERVICE];
}

#endif
