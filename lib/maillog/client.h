/* maillog/client - a process's log lines on their way to logd, over its channel.
 * Lines leave in batches of 8 KB or after 50 ms, whatever is first. Nothing here waits: without a
 * channel lines are kept up to a bound, beyond it they are dropped, counted, and the count is
 * reported with the next batch. */
#ifndef MAILLOG_CLIENT_H
#define MAILLOG_CLIENT_H

#include "ipc/channel.h"
#include "maillog/log.h"

struct maillog_client {
    struct loop *loop;
    struct maillog *log;
    struct ipc_channel *channel;
    struct loop_timer timer;
    bool is_behind; /* logd took no more at the last try; the timer makes another */
    char tag[256];
};

/* Also initialises the log. tag is what syslog shows before the process id: "posthouse/smtpd". */
void maillog_client_init(struct maillog_client *client, struct loop *loop, struct maillog *log,
                         struct span tag);
/* For the lines of later channels. */
void maillog_client_set_tag(struct maillog_client *client, struct span tag);
/* Takes over a channel end to logd, in place of the one before. */
void maillog_client_attach(struct maillog_client *client, int descriptor);
/* Sends what there is and closes the channel: logd, which is to leave, waits for nothing more. */
void maillog_client_detach(struct maillog_client *client);
/* Sends what there is, now: before the process ends. */
void maillog_client_flush(struct maillog_client *client);

#endif
