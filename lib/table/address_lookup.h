/* table/address_lookup - the keys under which an address is looked up, and their order.
 * For user+ext@sub.example.org, with "+" a recipient delimiter:
 *   full          user+ext@sub.example.org
 *   base          user@sub.example.org
 *   local part    user+ext, user                   (only where the domain is local)
 *   @domain       @sub.example.org
 *   domain        sub.example.org, and its parents as example.org, org or .example.org, .org
 *   local part@   user+ext@, user@
 *   wildcard      *
 * The strategies below say which of these a kind of table has. Keys hold the local part quoted as
 * RFC 5322 asks; where that changes it, the bare form is tried too.
 * Pure: a callback looks up. Callers: addrd, its tests. */
#ifndef TABLE_ADDRESS_LOOKUP_H
#define TABLE_ADDRESS_LOOKUP_H

#include "table/table.h"

enum table_address_keys {
    TABLE_ADDRESS_FULL = 1 << 0,
    TABLE_ADDRESS_BASE = 1 << 1,
    TABLE_ADDRESS_LOCAL_PART = 1 << 2,
    TABLE_ADDRESS_AT_DOMAIN = 1 << 3,
    TABLE_ADDRESS_DOMAIN = 1 << 4,
    TABLE_ADDRESS_PARENTS = 1 << 5,        /* example.org */
    TABLE_ADDRESS_DOTTED_PARENTS = 1 << 6, /* .example.org */
    TABLE_ADDRESS_LOCAL_PART_AT = 1 << 7,
    TABLE_ADDRESS_WILDCARD = 1 << 8
};

/* canonical(5), virtual(5), and the lists of existing recipients */
enum {
    TABLE_ADDRESS_RECIPIENT =
        TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_LOCAL_PART | TABLE_ADDRESS_AT_DOMAIN
};

/* virtual(8): where a mailbox is */
enum { TABLE_ADDRESS_MAILBOX = TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_AT_DOMAIN };

/* transport(5); whether parents are written with a dot is parent_domain_matches_subdomains */
static inline unsigned table_address_transport(bool parent_matches_subdomains)
{
    return TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_DOMAIN |
           (parent_matches_subdomains ? TABLE_ADDRESS_PARENTS : TABLE_ADDRESS_DOTTED_PARENTS) |
           TABLE_ADDRESS_WILDCARD;
}

/* access(5) */
static inline unsigned table_address_access(bool parent_matches_subdomains)
{
    return TABLE_ADDRESS_FULL | TABLE_ADDRESS_BASE | TABLE_ADDRESS_DOMAIN |
           (parent_matches_subdomains ? TABLE_ADDRESS_PARENTS : TABLE_ADDRESS_DOTTED_PARENTS) |
           TABLE_ADDRESS_LOCAL_PART_AT;
}

struct table_address {
    struct span local_part; /* what it means, without quotes */
    struct span domain;     /* may be empty: then only the local part alone is looked up */
    struct span recipient_delimiter;
    bool has_special_owner_request; /* owner-x and x-request have no extension */
    bool is_local_domain;
};

/* Calls try with one key after another until it says anything but TABLE_NOT_FOUND. *extension,
 * which may be NULL, is what was left out of the key that was found, delimiter included, or empty.
 * Scratch memory comes from the arena; TABLE_ERROR when it is full. */
MUST_USE enum table_result
table_address_lookup(const struct table_address *address, unsigned keys,
                     enum table_result (*try)(void *context, struct span key), void *context,
                     struct arena *arena, struct span *extension);

#endif
