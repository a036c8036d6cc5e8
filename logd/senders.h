/* logd/senders - the processes that send lines, one channel each.
 * A line's tag ends with the program that master says is at the other end: nobody can write in
 * another program's name. */
#ifndef LOGD_SENDERS_H
#define LOGD_SENDERS_H

#include "base/list.h"
#include "order.h"
#include "service/service.h"

struct log_senders {
    struct service *service;
    struct log_order *order;
    struct list list;
};

void log_senders_init(struct log_senders *senders, struct service *service,
                      struct log_order *order);
/* Takes the descriptor over. */
void log_senders_add(struct log_senders *senders, const struct service_peer *peer, int descriptor);

#endif
