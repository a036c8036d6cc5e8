/* tls/key_files - read the keys and certificates that a service's settings name.
 * Postfix's forms (TLS_README): PREFIX_chain_files in place of all else; or PREFIX_cert_file and
 * PREFIX_key_file, PREFIX_eccert_file and PREFIX_eckey_file; "none" for a service that is to have
 * no certificate. To be called by whoever may read the files.
 * Interface: tls_key_files_read(), tls_key_files_list(), tls_key_services_each(). Callers: keyd,
 * master (posthouse check). */
#ifndef TLS_KEY_FILES_H
#define TLS_KEY_FILES_H

#include "conf/keyd.h"
#include "tls/chain.h"

enum { TLS_KEY_FILE_MAX_BYTES = 1 << 20 };

struct tls_key_settings {
    const char *prefix; /* "smtpd_tls" */
    struct span chain_files;
    struct span cert_file;
    struct span key_file;
    struct span eccert_file;
    struct span eckey_file;
};

MUST_USE bool tls_key_settings_equal(const struct tls_key_settings *left,
                                     const struct tls_key_settings *right);

/* A service of master.cf with its settings. */
struct tls_key_service {
    struct span name;
    bool is_server;
    struct tls_key_settings settings;
    struct span tables; /* tls_server_sni_maps */
};
/* Every service that may have keys, until visit returns false. */
void tls_key_services_each(const struct conf_keyd *conf,
                           bool (*visit)(void *context, const struct tls_key_service *service),
                           void *context);

/* What can be used is in *chains, which has been initialized; its setting is not looked at. */
MUST_USE enum tls_key_status tls_key_files_read(const struct tls_key_settings *settings,
                                                struct tls_chains *chains);
/* A list of files, as in PREFIX_chain_files and tables: appends what can be used. */
void tls_key_files_list(struct span files, struct tls_chains *chains);

#endif
