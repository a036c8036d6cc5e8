/* fetchd/trust - see trust.h. */
#include "trust.h"

#include <openssl/err.h>
#include <unistd.h>

/* Where systems keep them: Debian, Fedora, SUSE, Alpine. */
static const char *const system_files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static const char *find_system_file(void)
{
    for (size_t i = 0; i < ARRAY_LENGTH(system_files); i++)
        if (access(system_files[i], R_OK) == 0)
            return system_files[i];
    return X509_get_default_cert_file();
}

X509_STORE *trust_load(const char *path, const char **tried)
{
    *tried = path[0] ? path : find_system_file();
    X509_STORE *store = X509_STORE_new();
    if (store && X509_STORE_load_file(store, *tried) == 1)
        return store;
    X509_STORE_free(store);
    ERR_clear_error();
    return NULL;
}
