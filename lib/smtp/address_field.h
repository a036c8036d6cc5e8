/* smtp/address_field - the addresses in header fields like From and To (RFC 5322 section 3.4), and
 * their replacement in place: whatever is no address keeps its bytes, comments and folding
 * included.
 * Interface: smtp_address_field_next() to look, smtp_address_field_rewrite() to change;
 * smtp_address_list_next() where every word counts. Pure.
 * Callers: lib/intake, lib/smtpsession, sendmail. */
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

/* A list of recipients as users and their programs write it: nothing in it is passed over, because
 * whoever is left out would never hear of it. As in Postfix, words beside one another are addresses
 * each where no brackets say that they are a name. */
struct smtp_address_list {
    struct span value;
    size_t at;
    size_t piece_end; /* of what stands between two commas */
    size_t angle;     /* "<" in it; value.length: there is none */
    bool is_in_piece;
    bool has_no_more_angles; /* no ">" closes what begins from here on */
    /* For the caller to set: a name of an address or a group that has an "@" outside of quotes is
     * none by the rules, and an address to programs that show it. */
    bool takes_odd_names;
};

struct smtp_address_entry {
    struct span text; /* as smtp_field_address.text; or what stands there, as it stands */
    bool is_address;
};

static inline void smtp_address_list_init(struct smtp_address_list *list, struct span value)
{
    *list = (struct smtp_address_list){.value = value};
}
/* False at the end. The text lies in the value or in the arena. */
MUST_USE bool smtp_address_list_next(struct smtp_address_list *list, struct arena *arena,
                                     struct smtp_address_entry *entry);

/* Says what takes the place of an address; false: it stays. May park. The arena is for this address
 * alone. */
typedef bool smtp_address_replace(void *context, enum smtp_address_field kind, struct span text,
                                  struct arena *arena, struct span *replacement);
/* One field, whole, appended to output with its addresses replaced; one of kind NONE as it is.
 * Whether anything changed. Failures show in the buffer. */
bool smtp_address_field_rewrite(struct span name, struct span whole, smtp_address_replace *replace,
                                void *context, struct buffer *output);

#endif
