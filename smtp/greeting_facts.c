/* smtp/greeting_facts - see greeting_facts.h. */
#include "greeting_facts.h"

static bool is_hidden(struct span lines)
{
    bool has_star = false;
    for (size_t i = 0; i < lines.length; i++) {
        if (!span_byte_is_one_of(lines, i, "20 *\t\r\n", 7))
            return false;
        has_star |= lines.bytes[i] == '*';
    }
    return has_star;
}

struct greeting_facts greeting_facts_read(const struct smtp_reply *reply)
{
    return (struct greeting_facts){
        .says_esmtp = span_find(reply->text, SPAN("ESMTP")) < reply->text.length,
        .is_hidden = is_hidden(reply->lines),
    };
}
