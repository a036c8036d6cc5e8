/* smtp/greeting_facts - what the first reply of a server says about it.
 * Interface: greeting_facts_read(). Pure. Callers: greeting, the fuzzer. */
#ifndef SMTP_GREETING_FACTS_H
#define SMTP_GREETING_FACTS_H

#include "smtp/reply.h"

struct greeting_facts {
    bool says_esmtp;
    bool is_hidden; /* "220 *****2****0*": the mark of a PIX firewall, which hides the server's own
                     * words */
};

MUST_USE struct greeting_facts greeting_facts_read(const struct smtp_reply *reply);

#endif
