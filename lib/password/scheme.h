/* password/scheme - stored passwords, "{SCHEME}rest" as Dovecot writes them: compare and make.
 * Pure but for the time it takes, which is what hashes are for; random bytes are handed in.
 * Callers: authd's workers, posthouse (the command). Programs that use it link PASSWORD_LIBS. */
#ifndef PASSWORD_SCHEME_H
#define PASSWORD_SCHEME_H

#include "base/arena.h"
#include "base/buffer.h"

enum password_result {
    PASSWORD_MATCHES,
    PASSWORD_DIFFERS,
    PASSWORD_UNUSABLE /* the scheme is not known, or what follows is not of it */
};

enum {
    PASSWORD_MAX_BYTES = 1024,
    PASSWORD_STORED_MAX_BYTES = 1024,
    PASSWORD_RANDOM_BYTES = 32 /* that making a stored password uses */
};

/* default_scheme: of a stored password without braces. user: some schemes mix it in. A password
 * that is too long matches nothing. */
MUST_USE enum password_result password_verify(struct span stored, struct span default_scheme,
                                              struct span user, struct span password);

/* "CRYPT" and what follows the braces. A brace that is not closed begins no scheme. */
void password_split(struct span stored, struct span default_scheme, struct span *scheme,
                    struct span *rest);
/* Can a mechanism that asks for this scheme ("SCRAM-SHA-256", "PLAIN") use it? It can use its own,
 * and, SCRAM being made of passwords, PLAIN. */
MUST_USE bool password_serves(struct span stored, struct span default_scheme, struct span wanted);
/* The same with its {SCHEME} in any case, and PLAIN in the place of its other names; bytes NULL
 * when the arena is full. */
MUST_USE struct span password_with_scheme(struct span stored, struct span default_scheme,
                                          struct arena *arena);

/* Schemes that can be made, strongest first; NULL after the last. */
MUST_USE const char *password_scheme_name(size_t index);
/* "{SCHEME}..." of a password. cost: rounds, or what the scheme calls so; 0: as is usual today.
 * False: no such scheme, a cost that it does not have, or the password is too long. */
MUST_USE bool password_make(struct span scheme, uint32_t cost, struct span password,
                            const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *stored);
/* Was it made in another way than password_make() would: another scheme, or a lower cost? */
MUST_USE bool password_is_weaker(struct span stored, struct span default_scheme, struct span scheme,
                                 uint32_t cost);

#endif
