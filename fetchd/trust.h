/* fetchd/trust - the certification authorities that HTTPS servers are measured by.
 * Read once, before the sandbox. Callers: fetchd/main, fetchd/web. */
#ifndef FETCHD_TRUST_H
#define FETCHD_TRUST_H

#include <openssl/x509.h>

#include "base/compiler.h"

/* Those in the file, or with path empty those of the system. NULL where there is no such file or
 * no certificate in it; *tried is then which. */
MUST_USE X509_STORE *trust_load(const char *path, const char **tried);

#endif
