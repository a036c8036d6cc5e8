/* tests/fuzz/address - paths, mailboxes and network lists from hostile bytes.
 * The first byte chooses the rules; what is accepted must have a normal form that is accepted
 * again and means the same. */
#include <stdlib.h>

#include "address/mailbox.h"
#include "address/rewrite.h"
#include "address/verp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_normal_form(const struct mailbox *mailbox, unsigned rules, struct arena *arena)
{
    struct mailbox again;
    if (mailbox_is_null(mailbox))
        return;
    rules |= ADDRESS_ALLOW_LONG_LOCAL_PART | ADDRESS_ALLOW_NO_DOMAIN;
    const enum parse_result result = mailbox_parse(mailbox->text, rules, arena, &again);
    if (result == PARSE_TOO_LONG)
        return; /* quoting may lengthen it */
    if (result != PARSE_OK || !mailbox_equals(mailbox, &again) ||
        !span_equals(mailbox->text, again.text))
        abort();
}

/* What was made of two addresses is one, of the sender's domain. */
static void check_verp(struct span reverse_path, struct span recipient, struct arena *arena)
{
    struct mailbox sender, made;
    const struct span text = verp_sender(reverse_path, recipient, SPAN("+="), arena);
    if (text.length > ADDRESS_MAX_BYTES || (text.bytes && text.length == 0))
        abort();
    if (text.bytes &&
        mailbox_parse(reverse_path, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &sender) ==
            PARSE_OK &&
        mailbox_parse(text, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, arena, &made) == PARSE_OK &&
        (!address_domain_equals(sender.domain, made.domain) ||
         !span_starts_with(made.local_part, sender.local_part)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct mailbox mailbox;
    struct span rest;
    if (length == 0)
        return 0;
    const unsigned rules = bytes[0] & 0x3f;
    const enum path_kind kind = bytes[0] & 0x40 ? PATH_REVERSE : PATH_FORWARD;
    const struct span text = span_of(bytes + 1, length - 1);
    arena_init(&arena, 1 << 16, 0);
    if (path_parse(text, kind, rules, &arena, &mailbox, &rest) == PARSE_OK) {
        const struct address_completion completion = {
            .myorigin = SPAN_LITERAL("origin.example"),
            .mydomain = SPAN_LITERAL("domain.example"),
            .append_at_myorigin = true,
            .append_dot_mydomain = true,
            .allow_percent_hack = true,
        };
        struct span user, extension;
        check_normal_form(&mailbox, rules, &arena);
        (void)address_split_extension(mailbox.local_part, SPAN("+-"), true, &user, &extension);
        if (address_complete(&completion, &mailbox, &arena, &mailbox))
            check_normal_form(&mailbox, rules | ADDRESS_ALLOW_UTF8, &arena);
        if (address_fold(&mailbox, true, &arena).length > mailbox.text.length)
            abort();
    }
    if (mailbox_parse(text, rules, &arena, &mailbox) == PARSE_OK)
        check_normal_form(&mailbox, rules, &arena);
    check_verp(SPAN("list@here.test"), text, &arena);
    check_verp(span_first(text, text.length / 2), span_after(text, text.length / 2), &arena);
    struct ip_network_list list;
    struct span bad_word;
    if (ip_network_list_parse(text, &arena, &list, &bad_word) == PARSE_OK) {
        const struct ip_address address = {IP_FAMILY_6, {0x20, 1}};
        if (ip_network_list_has(&list, &address) && list.count == 0)
            abort();
    }
    arena_destroy(&arena);
    return 0;
}
