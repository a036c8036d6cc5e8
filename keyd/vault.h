/* keyd/vault - the private keys, and whose they are.
 * Each service has the keys that its own settings name, and those of the names in its tables; no
 * service can use another's. Tables that hold the keys themselves (postmap -F) stay open, and are
 * asked when a name comes up; all files are read before the sandbox closes.
 * Interface: vault_load(), vault_remind(), vault_find_service(), vault_certificates(),
 * vault_find_key(), vault_inherit(). Callers: keyd/main, keyd/serve, keyd/succession. */
#ifndef KEYD_VAULT_H
#define KEYD_VAULT_H

#include "conf/keyd.h"
#include "base/list.h"
#include "ipc/role.h"
#include "maillog/log.h"
#include "names.h"
#include "system/file_watch.h"
#include "tls/key_files.h"

struct vault_service {
    struct list_link link;
    bool is_server; /* servers are asked for certificates, clients show theirs */
    struct span name;
    struct tls_key_settings settings;
    struct span table_names;
    /* Services with the same settings have the same set, and the same tables. */
    struct key_set *own;
    struct name_tables *tables; /* NULL: none */
    bool is_first;              /* the set is this service's to free */
    bool is_first_of_tables;
};

struct vault {
    struct maillog *log;
    struct file_watch *watch; /* NULL: none */
    struct arena arena;       /* for as long as the process lives */
    struct list services;
    struct name_files *files; /* shared by all services' tables */
};

/* Reads what the settings name; what cannot be used is logged. Each file is watched from before it
 * is read (watch may be NULL). False when memory is out. */
MUST_USE bool vault_load(struct vault *vault, const struct conf_keyd *conf, struct maillog *log,
                         struct file_watch *watch);
/* Logs which services have no key at all, once it is known that there is none to be had. */
void vault_complain(const struct vault *vault);
/* What the keyd of process number elder had in the place of that set; key_set_inherit() says what
 * becomes of it. whose: for the log, "service smtp". */
bool vault_inherit(const struct vault *vault, struct key_set *set, const char *whose,
                   struct span name, struct tls_chains *chains, uint32_t elder);

/* Logs which services' own certificates are over within a week, or are over by now. */
void vault_remind(const struct vault *vault, time_t now);
void vault_destroy(struct vault *vault);

/* NULL for a role or a service that has no keys. */
MUST_USE struct vault_service *vault_find_service(const struct vault *vault, enum ipc_role role,
                                                  struct span name);
/* By the prefix of its settings, "smtpd_tls". */
MUST_USE struct vault_service *vault_find_service_of(const struct vault *vault, struct span prefix,
                                                     struct span name);
/* The set of a name, or the service's own for an empty one; *status says what it is worth. NULL
 * unless TLS_KEY_STATUS_FOUND. Lasts until the next question. */
MUST_USE const struct key_set *vault_certificates(struct vault_service *service, struct span name,
                                                  enum tls_key_status *status);
/* A key of the service, or of that name in its tables. NULL when it has no such key. */
MUST_USE EVP_PKEY *vault_find_key(struct vault_service *service, struct span digest,
                                  struct span name);

#endif
