/* smtp/address_field - the addresses in header fields like From and To (RFC 5322 section 3.4), and
 * their replacement in place: whatever is no address keeps its bytes, comments and folding
 * included.
 * Interface: smtp_address_field_next() to look, smtp_address_fields_rewrite() to change. Pure.
 * Callers: lib/intake. */
#ifndef SMTP_ADDRESS_FIELD_H
#define SMTP_ADDRESS_FIELD_H

#include "base/buffer.h"

enum smtp_address_field {
    SMTP_ADDRESS_FIELD_NONE,     /* no addresses in it, or none that are ours to touch */
    SMTP_ADDRESS_FIELD_SENDER,   /* From, Sender, Reply-To ... */
    SMTP_ADDRESS_FIELD_RECIPIENT /* To, Cc, Bcc ... */
};

enum smtp_address_field smtp_address_field_kind(struct span name);

struct smtp_field_address {
    size_t begin; /* in the value, up to end: what a replacement takes the place of */
    size_t end;
    struct span text; /* local-part, or local-part "@" domain, without comments and white space */
};

/* The next addr-spec of a field's value after offset *at, which moves behind it; false at the end.
 * Texts that are no addresses (phrases without brackets, broken quotes) are passed over. text lies
 * in the value, or, where white space stood in it, in the arena; false too when that is full. */
MUST_USE bool smtp_address_field_next(struct span value, size_t *at, struct arena *arena,
                                      struct smtp_field_address *address);

/* Says what takes the place of an address; false: it stays. May park. */
typedef bool smtp_address_replace(void *context, enum smtp_address_field kind, struct span text,
                                  struct arena *arena, struct span *replacement);
/* One field, whole, appended to output with its addresses replaced; one of kind NONE as it is.
 * Whether anything changed. Failures show in the buffer. */
bool smtp_address_field_rewrite(struct span name, struct span whole, smtp_address_replace *replace,
                                void *context, struct arena *arena, struct buffer *output);

#endif
