/* intake/recipients - everybody that a message goes to: whom addrd says that a recipient stands
 * for, each with who was meant and what the sender wants to be told (RFC 3461 section 5.2.7).
 * Interface: intake_add_expansion() where addrd has been asked, intake_expand_recipient() where
 * not, intake_replace_address() for the header. Callers: smtpd, bounce, pickup, local. For tasks.
 */
#ifndef INTAKE_RECIPIENTS_H
#define INTAKE_RECIPIENTS_H

#include "addr/client.h"
#include "intake/intake.h"
#include "smtp/address_field.h"

/* named: the recipient completed, as its original what the client wrote. False when a text cannot
 * be kept or memory is out: then none of the message is to be committed. */
MUST_USE bool intake_add_expansion(struct intake_message *message,
                                   const struct queue_recipient *named,
                                   const struct addr_expansion *expansion);

/* Asks addrd and adds what it says. flags: enum addr_expand_flags; with ADDR_EXPAND_FIRST
 * expansion->sender may be another sender for the message. What is no address is added as it is:
 * its delivery fails, and the sender is told. Not OK, and temporary: nothing is to be committed
 * now. Results lie in the arena. */
MUST_USE struct outcome
intake_expand_recipient(struct intake_message *message, struct addr_client *client,
                        const struct queue_recipient *named, struct span sender, unsigned flags,
                        struct arena *arena, int64_t deadline_ms, struct addr_expansion *expansion);

/* For intake_header_facts.replace: addresses of the header as the canonical maps and masquerading
 * have them. Where addrd cannot tell has_failed is set, and nothing is to be committed now. */
struct intake_address_rewriter {
    struct addr_client *client;
    bool is_remote; /* completed with remote_header_rewrite_domain */
    int64_t deadline_ms;
    bool has_failed;
};
bool intake_replace_address(void *context, enum smtp_address_field kind, struct span text,
                            struct arena *arena, struct span *replacement);

#endif
