/* sandbox/warm_up_crypto - libcrypto reads its configuration and finds its algorithms early.
 * Interface: sandbox_warm_up_crypto(). Apart from warm_up.c, so that only who calls it links it. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "sandbox/sandbox.h"

bool sandbox_warm_up_crypto(void)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    size_t length = 0;
    unsigned digest_length = 0;
    /* The system's openssl.cnf may load modules and change defaults; a mail server's daemons do
     * what our settings say. */
    return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
                               NULL) == 1 &&
           RAND_bytes(bytes, sizeof(bytes)) == 1 &&
           EVP_Digest("", 0, bytes, &digest_length, EVP_sha256(), NULL) == 1 &&
           EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, "key", 3, (const unsigned char *)"", 0,
                     bytes, sizeof(bytes), &length) != NULL;
}
