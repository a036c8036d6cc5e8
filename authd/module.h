/* authd/module - others' libraries, loaded when a database needs them: whoever has no users in LDAP
 * has no libldap in any process. They are loaded before the worker's sandbox closes.
 * Callers: authd/db_*. */
#ifndef AUTHD_MODULE_H
#define AUTHD_MODULE_H

#include "base/buffer.h"

struct module_symbol {
    const char *name;
    void *function; /* the address of a pointer to such a function */
};

/* False with a reason: the library, or something in it, is not there. */
MUST_USE bool module_load(const char *library, const struct module_symbol *symbols, size_t count,
                          struct buffer *reason);

#endif
