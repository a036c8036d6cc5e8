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

static bool has_word(struct span text, struct span wanted)
{
    struct span word;
    while (span_next_word(&text, " \t", &word))
        if (span_equals_ascii_nocase(word, wanted))
            return true;
    return false;
}

struct greeting_facts greeting_facts_read(const struct smtp_reply *reply)
{
    return (struct greeting_facts){
        .says_esmtp = has_word(reply->text, SPAN("ESMTP")),
        .is_hidden = is_hidden(reply->lines),
    };
}
