/* addrd/dispatcher - puts the parts of addrd together: tables, workers, questions.
 * Callers: addrd/main. */
#ifndef ADDRD_DISPATCHER_H
#define ADDRD_DISPATCHER_H

#include "crew/crew.h"
#include "questions.h"
#include "service/service.h"

enum { DISPATCHER_REPORT_BYTES = 512 };

struct dispatcher {
    struct service *service;
    struct resolver resolver;
    struct resolver verification; /* for probes */
    struct conf_addrd verification_settings;
    struct crew crew; /* where a table needs workers */
    struct questions questions;
    int nursery_descriptor; /* -1: no table needs workers */
    /* The last lookup failure that was logged: a broken table must not fill the log. */
    char last_report[DISPATCHER_REPORT_BYTES];
    int64_t next_report_ms;
};

/* Before the sandbox: opens tables, starts the nursery, names the directories that may be opened.
 */
MUST_USE bool dispatcher_prepare(struct dispatcher *dispatcher, struct service *service);
/* In the sandbox. */
MUST_USE bool dispatcher_begin(struct dispatcher *dispatcher);

#endif
