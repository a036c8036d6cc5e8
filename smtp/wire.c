/* smtp/wire - see wire.h. */
#include "wire.h"

#include "address/idn.h"
#include "address/mailbox.h"
#include "base/ascii.h"

/* What ends a path, or begins another command, stays behind quotes whatever the setting says. */
static bool can_go_bare(struct span local_part)
{
    for (size_t i = 0; i < local_part.length; i++)
        if (local_part.bytes[i] <= ' ' || span_byte_is_one_of(local_part, i, "<>\\\"\x7f", 5))
            return false;
    return local_part.length > 0;
}

/* NULL bytes when the arena is full. */
static struct span join(struct span local_part, struct span domain, struct arena *arena)
{
    return span_is_empty(domain)
               ? local_part
               : arena_format(arena, "%.*s@%.*s", SPAN_PRINTF(local_part), SPAN_PRINTF(domain));
}

bool wire_address(struct span address, const struct wire_rules *rules, struct arena *arena,
                  struct span *text)
{
    struct mailbox mailbox, converted;
    struct span domain, joined;
    const bool is_ascii = ascii_is_all_ascii(address);
    *text = address;
    /* What cannot be parsed came from a table: the server shall judge it. */
    if (span_is_empty(address) ||
        mailbox_parse(address, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &mailbox) != PARSE_OK)
        return is_ascii || rules->has_smtputf8;
    if (!is_ascii && !rules->has_smtputf8) {
        if (!ascii_is_all_ascii(mailbox.local_part) ||
            address_domain_to_ascii(mailbox.domain, arena, &domain) != PARSE_OK ||
            !mailbox_set(&converted, mailbox.local_part, domain, arena))
            return false;
        mailbox = converted;
    }
    *text = mailbox.text;
    if (rules->quotes || !can_go_bare(mailbox.local_part))
        return true;
    joined = join(mailbox.local_part, mailbox.domain, arena);
    if (joined.bytes)
        *text = joined;
    return true;
}
