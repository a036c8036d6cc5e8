/* reportd/deliver - one attempt to bring a day's report to whoever asked for it: the TXT record by
 * dnsd, mail by intake, POST by fetchd. For tasks. Callers: reportd/server. */
#ifndef REPORTD_DELIVER_H
#define REPORTD_DELIVER_H

#include "addr/client.h"
#include "conf/reportd.h"
#include "counters.h"
#include "dns/client.h"
#include "fetch/client.h"
#include "intake/intake.h"
#include "maillog/log.h"

struct deliverer {
    struct maillog *log;
    const struct conf_reportd *settings;
    struct dns_client dns;
    struct fetch_client fetch;
    struct intake intake;
    struct addr_client addr;
    /* A place has the report, or never will: to be kept before the next is tried. */
    void (*on_place)(void *context, struct counted_day *day, struct span uri);
    void *context;
};

enum deliver_result {
    DELIVER_DONE,     /* somebody has it, or nobody ever will */
    DELIVER_UNWANTED, /* the domain does not ask for reports */
    DELIVER_LATER     /* some place did not take it: try again */
};

/* Tries the places that the day does not have yet. */
MUST_USE enum deliver_result deliver_report(struct deliverer *deliverer, struct counted_day *day);

#endif
