/* tls/provider - see provider.h.
 * A key of this provider is a key of the default one, of which only the public half is there:
 * questions are handed on to that. Nothing is exported where a private half is asked for too, so
 * libcrypto finds that only this provider can sign with such a key. */
#include "tls/provider.h"

#include <openssl/async.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/proverr.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "tls/stream.h"

#define PROVIDER_NAME "posthouse-keyd"
#define ONLY_HERE "provider=" PROVIDER_NAME
#define ONLY_DEFAULT "provider=default"

enum { HASH_NAME_MAX_BYTES = 32 };

struct kept_key {
    const char *type; /* "RSA" */
    EVP_PKEY *public_key;
    uint8_t digest[TLS_KEY_DIGEST_BYTES];
};

/* ---- keys ---- */

static void *new_key(const char *type)
{
    struct kept_key *key = OPENSSL_zalloc(sizeof(*key));
    if (key)
        key->type = type;
    return key;
}

static void *new_rsa(void *provider UNUSED)
{
    return new_key("RSA");
}

static void *new_ec(void *provider UNUSED)
{
    return new_key("EC");
}

static void *new_ed25519(void *provider UNUSED)
{
    return new_key("ED25519");
}

static void free_key(void *data)
{
    struct kept_key *key = data;
    if (!key)
        return;
    EVP_PKEY_free(key->public_key);
    OPENSSL_free(key);
}

/* As far as anybody here can tell the private half is there. */
static int key_has(const void *data, int selection UNUSED)
{
    const struct kept_key *key = data;
    return key->public_key != NULL;
}

static int keys_match(const void *left, const void *right, int selection UNUSED)
{
    const struct kept_key *one = left, *other = right;
    return one->public_key && other->public_key &&
           EVP_PKEY_eq(one->public_key, other->public_key) == 1;
}

static int import_key(void *data, int selection UNUSED, const OSSL_PARAM params[])
{
    struct kept_key *key = data;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, key->type, ONLY_DEFAULT);
    OSSL_PARAM *copy = OSSL_PARAM_dup(params);
    const bool is_ok =
        context && copy && !key->public_key && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key->public_key, EVP_PKEY_PUBLIC_KEY, copy) == 1 &&
        tls_key_digest(key->public_key, key->digest);
    OSSL_PARAM_free(copy);
    EVP_PKEY_CTX_free(context);
    return is_ok;
}

static int export_key(void *data, int selection, OSSL_CALLBACK *take, void *context)
{
    const struct kept_key *key = data;
    if (selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY || !key->public_key)
        return 0;
    return EVP_PKEY_export(key->public_key, selection, take, context);
}

static int get_key_params(void *data, OSSL_PARAM params[])
{
    const struct kept_key *key = data;
    return key->public_key ? EVP_PKEY_get_params(key->public_key, params) : 0;
}

/* clang-format off */
static const OSSL_PARAM rsa_types[] = {
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
    OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
    OSSL_PARAM_END
};
static const OSSL_PARAM ec_types[] = {
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_END
};
static const OSSL_PARAM ed25519_types[] = {
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_END
};
static const OSSL_PARAM gettable_of_keys[] = {
    OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
    OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
    OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL, 0),
    OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, NULL, 0),
    OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
    OSSL_PARAM_END
};
/* clang-format on */

static const OSSL_PARAM *list_rsa_types(int selection)
{
    return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? rsa_types : NULL;
}

static const OSSL_PARAM *list_ec_types(int selection)
{
    return selection & (OSSL_KEYMGMT_SELECT_PUBLIC_KEY | OSSL_KEYMGMT_SELECT_DOMAIN_PARAMETERS)
               ? ec_types
               : NULL;
}

static const OSSL_PARAM *list_ed25519_types(int selection)
{
    return selection & OSSL_KEYMGMT_SELECT_PUBLIC_KEY ? ed25519_types : NULL;
}

static const OSSL_PARAM *list_gettable(void *provider UNUSED)
{
    return gettable_of_keys;
}

static const char *rsa_operation(int operation UNUSED)
{
    return "RSA";
}

static const char *ec_operation(int operation UNUSED)
{
    return "ECDSA";
}

static const char *ed25519_operation(int operation UNUSED)
{
    return "ED25519";
}

/* ---- signatures ---- */

struct operation {
    const struct kept_key *key; /* the caller of libcrypto holds it */
    char hash[HASH_NAME_MAX_BYTES];
    bool is_pss;
};

static void *new_operation(void *provider UNUSED, const char *properties UNUSED)
{
    return OPENSSL_zalloc(sizeof(struct operation));
}

static void free_operation(void *data)
{
    OPENSSL_free(data);
}

/* Texts of libcrypto: the mode by name or by number. */
static bool take_padding(struct operation *operation, const OSSL_PARAM *param)
{
    const char *name = NULL;
    int number = 0;
    if (param->data_type == OSSL_PARAM_UTF8_STRING &&
        OSSL_PARAM_get_utf8_string_ptr(param, &name) == 1 && name)
        number = strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0       ? RSA_PKCS1_PSS_PADDING
                 : strcmp(name, OSSL_PKEY_RSA_PAD_MODE_PKCSV15) == 0 ? RSA_PKCS1_PADDING
                                                                     : 0;
    else if (OSSL_PARAM_get_int(param, &number) != 1)
        return false;
    operation->is_pss = number == RSA_PKCS1_PSS_PADDING;
    return operation->is_pss || number == RSA_PKCS1_PADDING;
}

/* TLS has salts as long as the hash and no others. */
static bool takes_salt(const OSSL_PARAM *param)
{
    const char *name = NULL;
    int number = 0;
    if (param->data_type == OSSL_PARAM_UTF8_STRING)
        return OSSL_PARAM_get_utf8_string_ptr(param, &name) == 1 && name &&
               strcmp(name, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0;
    return OSSL_PARAM_get_int(param, &number) == 1 && number == RSA_PSS_SALTLEN_DIGEST;
}

static int set_operation_params(void *data, const OSSL_PARAM params[])
{
    struct operation *operation = data;
    const OSSL_PARAM *padding =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE) : NULL;
    const OSSL_PARAM *salt =
        params ? OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN) : NULL;
    return (!padding || take_padding(operation, padding)) && (!salt || takes_salt(salt));
}

static const OSSL_PARAM *list_settable(void *data UNUSED, void *provider UNUSED)
{
    static const OSSL_PARAM settable[] = {
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL, 0),
        OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL, 0), OSSL_PARAM_END};
    return settable;
}

static int begin_operation(void *data, const char *hash, void *key, const OSSL_PARAM params[])
{
    struct operation *operation = data;
    if (hash && strlen(hash) >= sizeof(operation->hash))
        return 0;
    *operation = (struct operation){.key = key};
    if (hash)
        memcpy(operation->hash, hash, strlen(hash) + 1);
    return set_operation_params(operation, params);
}

static const struct tls_scheme *scheme_of(const struct operation *operation)
{
    enum tls_scheme_kind kind = TLS_SCHEME_ED25519;
    if (strcmp(operation->key->type, "RSA") == 0)
        kind = operation->is_pss ? TLS_SCHEME_RSA_PSS : TLS_SCHEME_RSA_PKCS1;
    else if (strcmp(operation->key->type, "EC") == 0)
        kind = TLS_SCHEME_ECDSA;
    return tls_scheme_for(kind, operation->hash[0] ? operation->hash : NULL);
}

static int fail(const char *reason)
{
    ERR_raise_data(ERR_LIB_PROV, ERR_R_OPERATION_FAIL, "%s", reason);
    return 0;
}

/* Pauses the job of the handshake until it has been answered. */
static int sign(void *data, unsigned char *signature, size_t *length, size_t capacity,
                const unsigned char *input, size_t input_length)
{
    const struct operation *operation = data;
    if (!signature) {
        const int size = EVP_PKEY_get_size(operation->key->public_key);
        *length = size > 0 ? (size_t)size : 0;
        return size > 0;
    }
    struct tls_signing *signing = tls_stream_running();
    const struct tls_scheme *scheme = scheme_of(operation);
    if (!signing || !ASYNC_get_current_job())
        return fail("a signature of keyd is wanted outside of a handshake");
    if (!scheme)
        return fail("no signature scheme of TLS");
    signing->scheme = scheme;
    signing->input = span_of(input, input_length);
    memcpy(signing->key, operation->key->digest, sizeof(signing->key));
    signing->is_answered = false;
    signing->is_asked = true;
    const int is_paused = ASYNC_pause_job();
    signing->is_asked = false;
    if (!is_paused || !signing->is_answered || signing->signature_length > capacity)
        return fail("no signature from keyd");
    memcpy(signature, signing->signature, signing->signature_length);
    *length = signing->signature_length;
    return 1;
}

/* ---- the tables ---- */

typedef void (*untyped)(void);
/* clang-format off */
#define KEY_FUNCTIONS(name, types)                                                                 \
    static const OSSL_DISPATCH functions_of_##name[] = {                                           \
        {OSSL_FUNC_KEYMGMT_NEW, (untyped)new_##name},                                              \
        {OSSL_FUNC_KEYMGMT_FREE, (untyped)free_key},                                               \
        {OSSL_FUNC_KEYMGMT_HAS, (untyped)key_has},                                                 \
        {OSSL_FUNC_KEYMGMT_MATCH, (untyped)keys_match},                                            \
        {OSSL_FUNC_KEYMGMT_IMPORT, (untyped)import_key},                                           \
        {OSSL_FUNC_KEYMGMT_IMPORT_TYPES, (untyped)list_##types},                                   \
        {OSSL_FUNC_KEYMGMT_EXPORT, (untyped)export_key},                                           \
        {OSSL_FUNC_KEYMGMT_EXPORT_TYPES, (untyped)list_##types},                                   \
        {OSSL_FUNC_KEYMGMT_GET_PARAMS, (untyped)get_key_params},                                   \
        {OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, (untyped)list_gettable},                               \
        {OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, (untyped)name##_operation},                       \
        {0, NULL}};
KEY_FUNCTIONS(rsa, rsa_types)
KEY_FUNCTIONS(ec, ec_types)
KEY_FUNCTIONS(ed25519, ed25519_types)

static const OSSL_ALGORITHM key_types[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", ONLY_HERE, functions_of_rsa, NULL},
    {"EC:id-ecPublicKey:1.2.840.10045.2.1", ONLY_HERE, functions_of_ec, NULL},
    {"ED25519:1.3.101.112", ONLY_HERE, functions_of_ed25519, NULL},
    {NULL, NULL, NULL, NULL}};

static const OSSL_DISPATCH signature_functions[] = {
    {OSSL_FUNC_SIGNATURE_NEWCTX, (untyped)new_operation},
    {OSSL_FUNC_SIGNATURE_FREECTX, (untyped)free_operation},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, (untyped)begin_operation},
    {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, (untyped)sign},
    {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, (untyped)set_operation_params},
    {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, (untyped)list_settable},
    {0, NULL}};

static const OSSL_ALGORITHM signature_types[] = {
    {"RSA:rsaEncryption:1.2.840.113549.1.1.1", ONLY_HERE, signature_functions, NULL},
    {"ECDSA", ONLY_HERE, signature_functions, NULL},
    {"ED25519:1.3.101.112", ONLY_HERE, signature_functions, NULL},
    {NULL, NULL, NULL, NULL}};
/* clang-format on */

static const OSSL_ALGORITHM *list_algorithms(void *provider UNUSED, int operation, int *no_store)
{
    *no_store = 0;
    if (operation == OSSL_OP_KEYMGMT)
        return key_types;
    return operation == OSSL_OP_SIGNATURE ? signature_types : NULL;
}

static int open_provider(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in UNUSED,
                         const OSSL_DISPATCH **out, void **provider)
{
    static const OSSL_DISPATCH functions[] = {
        {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (untyped)list_algorithms}, {0, NULL}};
    *out = functions;
    memcpy(provider, &handle, sizeof(*provider)); /* nobody looks at it, but it may not be NULL */
    return 1;
}

/* They stay loaded as long as the process lives. */
static OSSL_PROVIDER *default_provider, *own_provider;

bool tls_provider_load(void)
{
    /* Of two that have an algorithm libcrypto takes the first: everything that is not said to be of
     * this provider goes to the default one. */
    if (!default_provider)
        default_provider = OSSL_PROVIDER_load(NULL, "default");
    if (default_provider && !own_provider &&
        OSSL_PROVIDER_add_builtin(NULL, PROVIDER_NAME, open_provider) == 1)
        own_provider = OSSL_PROVIDER_load(NULL, PROVIDER_NAME);
    return own_provider != NULL;
}

EVP_PKEY *tls_provider_key(EVP_PKEY *public_key)
{
    static const char *const types[] = {"RSA", "EC", "ED25519"};
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(types) && !key; i++) {
        EVP_PKEY_CTX *context = EVP_PKEY_is_a(public_key, types[i])
                                    ? EVP_PKEY_CTX_new_from_name(NULL, types[i], ONLY_HERE)
                                    : NULL;
        if (context && EVP_PKEY_todata(public_key, EVP_PKEY_PUBLIC_KEY, &params) == 1 &&
            EVP_PKEY_fromdata_init(context) == 1 &&
            EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
            key = NULL;
        OSSL_PARAM_free(params);
        params = NULL;
        EVP_PKEY_CTX_free(context);
    }
    return key;
}
