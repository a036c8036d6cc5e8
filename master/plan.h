/* master/plan - what is to run: the configuration turned into services with programs, users,
 * settings and endpoints. Making a plan starts nothing and binds nothing.
 * Callers: master/main, master/fleet, the tests. */
#ifndef MASTER_PLAN_H
#define MASTER_PLAN_H

#include "conf/master.h"
#include "endpoint.h"
#include "identity.h"
#include "wiring.h"

struct plan_service {
    struct span name;
    const struct wiring_program *program;
    const char *path; /* of the program's file */
    size_t process_count;
    struct identity identity;
    int settings;          /* sealed memory file */
    int stressed_settings; /* the same under stress; -1 where that changes nothing */
    struct endpoint *endpoints;
    size_t endpoint_count;
    bool is_verbose;        /* its command has -v */
    struct span arguments;  /* of its command, behind the options: each ended by a NUL */
    uint32_t process_limit; /* column maxproc, or default_process_limit; 0: none */
};

struct plan {
    struct arena arena;
    struct conf_instance instance;
    struct conf_master_settings settings;
    const char *queue_directory;
    const char *data_directory;
    const char *run_directory;
    const char *empty_directory;
    struct identity owner;          /* of the queue */
    struct identity drop_owner;     /* of its maildrop directory */
    struct plan_service **services; /* in the order of the wiring's rows: logd comes first */
    size_t service_count;
    size_t process_count;
};

/* The services that run when master.cf names none. */
extern const char plan_default_services[];

/* Reads the configuration in the directory. NULL when an error was noted; warnings and remarks
 * (services of Postfix that have no counterpart) are noted in any case. */
MUST_USE struct plan *plan_create(const char *directory, struct conf_notices *notices);
void plan_destroy(struct plan **plan);

#endif
