/* qmgr/clog - see clog.h. */
#include "clog.h"

static size_t taken(const struct clog *clog)
{
    return clog->waiting_count + clog->in_flight_count;
}

bool clog_is_one(const struct clog *clog)
{
    const uint64_t share = taken(clog);
    return share > 0 && share * 5 >= (uint64_t)clog->total_count * 4;
}

void clog_append_text(const struct clog *clog, struct buffer *text)
{
    buffer_append_format(text,
                         "mail for %s is using up %zu of %zu recipients in the active queue; ",
                         clog->destination, taken(clog), clog->total_count);
    /* Where nothing waits for its turn there more deliveries at once would change nothing. */
    if (clog->waiting_count > 0)
        buffer_append_format(
            text,
            "%s_destination_concurrency_limit, the time-outs of %s, or a transport of its own "
            "may help",
            clog->transport, clog->transport);
    else
        buffer_append_format(text, "a larger %s, or shorter time-outs of %s, may help", clog->limit,
                             clog->transport);
}
