/* bounce/writer - decide who is told of a failure, a delay or a success, and put the report into
 * the queue. Runs in a task. Manual: man/bounce.8. */
#ifndef BOUNCE_WRITER_H
#define BOUNCE_WRITER_H

#include "addr/client.h"
#include "conf/bounce.h"
#include "dsn/template.h"
#include "intake/intake.h"
#include "maillog/log.h"
#include "original.h"
#include "request.h"

/* What all reports of this process have in common. */
struct bounce_writer {
    const struct conf_bounce *settings;
    struct intake *intake;
    struct addr_client *addr; /* says whom the sender stands for */
    struct maillog *log;
    struct dsn_templates templates;
    struct span postmaster_address;    /* bounce_notice_recipient, completed */
    struct span double_notice_address; /* 2bounce_notice_recipient, completed */
    struct span error_notice_address;  /* error_notice_recipient, completed */
    struct span delay_notice_address;  /* delay_notice_recipient, completed */
    struct span double_bounce_address; /* double_bounce_sender, completed */
};

/* Completes the addresses and takes the templates; they live in the arena. False when memory is
 * out. */
MUST_USE bool bounce_writer_init(struct bounce_writer *writer, const struct conf_bounce *settings,
                                 struct intake *intake, struct addr_client *addr,
                                 struct maillog *log, struct arena *arena);

/* OUTCOME_OK: the report is in the queue and report_id is its id, or nobody is to be told, which is
 * logged, and report_id is empty. Permanent: the original is
 * damaged, and no report can be made of it. Else temporary: qmgr asks again. Both live in the
 * arena. */
MUST_USE struct outcome bounce_write(const struct bounce_writer *writer,
                                     const struct bounce_request *request,
                                     const struct original *original, struct arena *arena,
                                     struct span *report_id);

#endif
