/* authd/jwt - see jwt.h. Here: keys and signatures; authd/claims has what the tokens say. */
#include "jwt.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/json_read.h"

enum { EC_COORDINATE_BYTES = 32, SIGNATURE_MAX_BYTES = 1024, RSA_MIN_BITS = 2048 };

/* RFC 7515 section 2: base64 with - and _ and without padding. bytes NULL: it is none. */
static struct span decode_base64url(struct span text, struct arena *arena)
{
    const struct span none = {NULL, 0};
    struct buffer standard, decoded;
    buffer_init(&standard, arena, text.length + 4);
    buffer_init(&decoded, arena, text.length + 4);
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        if (byte == '+' || byte == '/' || byte == '=')
            return none;
        buffer_append_byte(&standard, byte == '-' ? '+' : byte == '_' ? '/' : byte);
    }
    while (standard.length % 4 != 0 && buffer_ok(&standard))
        buffer_append_byte(&standard, '=');
    if (!buffer_ok(&standard) || base64_decode(buffer_span(&standard), &decoded) != PARSE_OK ||
        !buffer_ok(&decoded))
        return none;
    return buffer_span(&decoded);
}

static struct span member_text(const struct json_value *object, const char *name,
                               struct arena *arena)
{
    struct json_value value;
    return json_object_find(object, name, &value) ? json_string(&value, arena) : span_of(NULL, 0);
}

static struct span member_bytes(const struct json_value *object, const char *name,
                                struct arena *arena)
{
    const struct span text = member_text(object, name, arena);
    return text.bytes ? decode_base64url(text, arena) : text;
}

/* ---- keys ---- */

static bool add_key(struct jwt_keys *keys, enum jwt_algorithm algorithm, struct span id,
                    EVP_PKEY *key, struct span secret)
{
    if (keys->count == JWT_KEYS_MAX) {
        EVP_PKEY_free(key);
        return false;
    }
    keys->keys[keys->count++] =
        (struct jwt_key){algorithm, id.bytes ? id : span_empty(), key, secret};
    return true;
}

/* By its kind; a key that is too short is not used. */
static bool add_public_key(struct jwt_keys *keys, struct span id, EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) >= RSA_MIN_BITS)
        return add_key(keys, JWT_RS256, id, key, span_empty());
    if (EVP_PKEY_is_a(key, "ED25519"))
        return add_key(keys, JWT_EDDSA, id, key, span_empty());
    if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_bits(key) == 8 * EC_COORDINATE_BYTES)
        return add_key(keys, JWT_ES256, id, key, span_empty());
    EVP_PKEY_free(key);
    return false;
}

static EVP_PKEY *build(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    if (!context || !parameters || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    OSSL_PARAM_free(parameters);
    EVP_PKEY_CTX_free(context);
    return key;
}

/* RFC 7518 section 6.3 */
static EVP_PKEY *make_rsa(struct span n, struct span e)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus =
        n.length < SIGNATURE_MAX_BYTES && n.bytes ? BN_bin2bn(n.bytes, (int)n.length, NULL) : NULL;
    BIGNUM *exponent = e.length < 9 && e.bytes ? BN_bin2bn(e.bytes, (int)e.length, NULL) : NULL;
    if (builder && modulus && exponent &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent))
        key = build("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

/* RFC 7518 section 6.2; the point in the form of SEC 1. */
static EVP_PKEY *make_ec(struct span x, struct span y)
{
    uint8_t point[1 + 2 * EC_COORDINATE_BYTES] = {4};
    EVP_PKEY *key = NULL;
    if (!x.bytes || !y.bytes || x.length != EC_COORDINATE_BYTES || y.length != EC_COORDINATE_BYTES)
        return NULL;
    memcpy(point + 1, x.bytes, EC_COORDINATE_BYTES);
    memcpy(point + 1 + EC_COORDINATE_BYTES, y.bytes, EC_COORDINATE_BYTES);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)))
        key = build("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static bool add_jwk(struct jwt_keys *keys, const struct json_value *jwk, struct arena *arena)
{
    const struct span type = member_text(jwk, "kty", arena);
    const struct span use = member_text(jwk, "use", arena);
    const struct span id = member_text(jwk, "kid", arena);
    EVP_PKEY *key = NULL;
    if (!type.bytes || (use.bytes && !span_equals(use, SPAN("sig"))))
        return false;
    if (span_equals(type, SPAN("oct"))) {
        const struct span secret = member_bytes(jwk, "k", arena);
        /* RFC 7518 section 3.2: no shorter than the digest. */
        return secret.bytes && secret.length >= JWT_SECRET_MIN_BYTES &&
               add_key(keys, JWT_HS256, id, NULL, secret);
    }
    const struct span curve = member_text(jwk, "crv", arena);
    if (span_equals(type, SPAN("RSA")))
        key = make_rsa(member_bytes(jwk, "n", arena), member_bytes(jwk, "e", arena));
    else if (span_equals(type, SPAN("EC")) && curve.bytes && span_equals(curve, SPAN("P-256")))
        key = make_ec(member_bytes(jwk, "x", arena), member_bytes(jwk, "y", arena));
    else if (span_equals(type, SPAN("OKP")) && curve.bytes && span_equals(curve, SPAN("Ed25519"))) {
        const struct span x = member_bytes(jwk, "x", arena);
        if (x.bytes)
            key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.bytes, x.length);
    }
    return key && add_public_key(keys, id, key);
}

static size_t add_json(struct jwt_keys *keys, const struct json_value *value, struct arena *arena)
{
    struct json_value set, jwk;
    size_t count = 0;
    if (!json_object_find(value, "keys", &set))
        return add_jwk(keys, value, arena);
    struct span rest = set.type == JSON_ARRAY ? set.text : span_empty();
    while (json_array_next(&rest, &jwk))
        count += add_jwk(keys, &jwk, arena);
    return count;
}

static size_t add_pem(struct jwt_keys *keys, struct span file)
{
    size_t count = 0;
    BIO *input = BIO_new_mem_buf(file.bytes, (int)file.length);
    EVP_PKEY *key;
    while (input && (key = PEM_read_bio_PUBKEY(input, NULL, NULL, NULL)) != NULL)
        count += add_public_key(keys, span_empty(), key);
    BIO_free(input);
    return count;
}

bool jwt_keys_add(struct jwt_keys *keys, struct span file, struct arena *arena,
                  struct buffer *reason)
{
    struct json_value value;
    if (span_find(file, SPAN("-----BEGIN ")) < file.length) {
        if (add_pem(keys, file) > 0)
            return true;
    } else if (json_parse(file, &value) == PARSE_OK && add_json(keys, &value, arena) > 0) {
        return true;
    }
    buffer_append_string(reason, "it has no public key in PEM and no JWK that can be used (RSA of "
                                 "2048 bits or more, P-256, Ed25519, or a secret of 32 bytes or "
                                 "more)");
    return false;
}

void jwt_keys_release(struct jwt_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        EVP_PKEY_free(keys->keys[i].key);
    keys->count = 0;
}

/* ---- signatures ---- */

static bool check_hmac(struct span secret, struct span text, struct span signature)
{
    uint8_t computed[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    return secret.length <= INT32_MAX &&
           HMAC(EVP_sha256(), secret.bytes, (int)secret.length, text.bytes, text.length, computed,
                &length) &&
           length == signature.length && CRYPTO_memcmp(computed, signature.bytes, length) == 0;
}

/* RFC 7518 section 3.4: two numbers of fixed length; libcrypto has them in DER. */
static int encode_ecdsa(struct span signature, uint8_t **der)
{
    int length = -1;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature.bytes, EC_COORDINATE_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(signature.bytes + EC_COORDINATE_BYTES, EC_COORDINATE_BYTES, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        length = i2d_ECDSA_SIG(pair, der);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(pair);
    return length;
}

static bool check_public(const struct jwt_key *key, struct span text, struct span signature)
{
    uint8_t *der = NULL;
    if (key->algorithm == JWT_ES256) {
        if (signature.length != (size_t)2 * EC_COORDINATE_BYTES)
            return false;
        const int length = encode_ecdsa(signature, &der);
        if (length <= 0)
            return false;
        signature = span_of(der, (size_t)length);
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = key->algorithm == JWT_EDDSA ? NULL : EVP_sha256();
    const bool is_right =
        context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key->key) == 1 &&
        EVP_DigestVerify(context, signature.bytes, signature.length, text.bytes, text.length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return is_right;
}

static bool find_algorithm(struct span name, enum jwt_algorithm *algorithm)
{
    static const char *const names[JWT_ALGORITHM_COUNT] = {"HS256", "RS256", "ES256", "EdDSA"};
    for (size_t i = 0; i < JWT_ALGORITHM_COUNT; i++)
        if (name.bytes && span_equals(name, span_from_string(names[i]))) {
            *algorithm = (enum jwt_algorithm)i;
            return true;
        }
    return false;
}

bool jwt_is_one(struct span token)
{
    struct span part, rest;
    return span_split_once(token, '.', &part, &rest) && part.length > 0 &&
           span_split_once(rest, '.', &part, &rest) && part.length > 0 &&
           span_find_byte(rest, '.') == rest.length;
}

bool jwt_verify(const struct jwt_keys *keys, struct span token, struct arena *arena,
                struct span *claims, const char **reason)
{
    struct span header_text, payload_text, signature_text, rest;
    struct json_value header, critical;
    enum jwt_algorithm algorithm;
    *reason = "the token is malformed";
    if (token.length > JWT_MAX_BYTES || !span_split_once(token, '.', &header_text, &rest) ||
        !span_split_once(rest, '.', &payload_text, &signature_text))
        return false;
    const struct span signed_text = span_first(token, header_text.length + 1 + payload_text.length);
    const struct span header_bytes = decode_base64url(header_text, arena);
    const struct span signature = decode_base64url(signature_text, arena);
    if (!header_bytes.bytes || !signature.bytes || json_parse(header_bytes, &header) != PARSE_OK ||
        header.type != JSON_OBJECT)
        return false;
    *reason = "the token is signed in a way that is not known here";
    /* RFC 7515 section 4.1.11: what is critical and not understood. */
    if (json_object_find(&header, "crit", &critical) ||
        !find_algorithm(member_text(&header, "alg", arena), &algorithm))
        return false;
    const struct span id = member_text(&header, "kid", arena);
    *reason = "the token is not signed by any of the keys";
    for (size_t i = 0; i < keys->count; i++) {
        const struct jwt_key *key = &keys->keys[i];
        if (key->algorithm != algorithm ||
            (id.bytes && key->id.length > 0 && !span_equals(id, key->id)))
            continue;
        if (algorithm == JWT_HS256 ? check_hmac(key->secret, signed_text, signature)
                                   : check_public(key, signed_text, signature)) {
            *claims = decode_base64url(payload_text, arena);
            *reason = "the token is malformed";
            return claims->bytes != NULL;
        }
    }
    return false;
}
