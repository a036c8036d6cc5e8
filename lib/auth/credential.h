/* auth/credential - what a password database says of a user. Pure data, and the rules that hold
 * for every database: which passwords count for a service, from which addresses.
 * The numbers of results travel in messages between authd and its workers.
 * Callers: authd/database and what is behind it, authd/worker, authd/verdict. */
#ifndef AUTH_CREDENTIAL_H
#define AUTH_CREDENTIAL_H

#include "base/arena.h"
#include "base/buffer.h"

enum credential_result {
    CREDENTIAL_MATCH,
    CREDENTIAL_MISMATCH, /* the user is there; it is not the password */
    CREDENTIAL_UNKNOWN,  /* no such user in this database */
    CREDENTIAL_SCOPE,    /* the password is right, but not for this service */
    CREDENTIAL_ADDRESS,  /* ... not from this address */
    CREDENTIAL_DISABLED, /* ... the account is closed */
    CREDENTIAL_EXPIRED,  /* ... too old */
    CREDENTIAL_ERROR,    /* cannot tell now */
    CREDENTIAL_RESULT_COUNT
};

enum { ACCOUNT_PASSWORDS_MAX = 32 };

struct account_password {
    struct span stored; /* with or without {SCHEME} */
    struct span name;   /* of an app password; empty: the user's own */
    struct span scope;  /* services, separated by commas; empty: all */
};

struct account {
    struct span user; /* as the database writes it; empty: as it was asked for */
    struct account_password passwords[ACCOUNT_PASSWORDS_MAX];
    size_t password_count;
    struct span allow_nets; /* networks; empty: everywhere */
    bool needs_no_password; /* any will do: meant together with allow_nets */
    bool is_disabled;
    bool is_expired;
};

/* Further facts that databases give as key=value: allow_nets, nopassword, nologin, user, scope,
 * app_password (NAME/SCOPE/STORED, as often as there are any). Others, userdb_ ones among them,
 * mean nothing here. False: it is one of ours, and wrong. */
MUST_USE bool account_set(struct account *account, struct span key, struct span value);

/* Does the scope hold the service? */
MUST_USE bool account_scope_has(struct span scope, struct span service);
/* May the user come from there? *is_wrong: the list cannot be read, and nobody may. */
MUST_USE bool account_permits_address(const struct account *account, struct span address,
                                      struct arena *arena, bool *is_wrong);

#endif
