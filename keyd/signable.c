/* keyd/signable - see signable.h. */
#include "signable.h"

enum {
    PADDING_BYTES = 64, /* RFC 8446 section 4.4.3: so many spaces first */
    RANDOM_BYTES = 32,
    SHA256_BYTES = 32,
    SHA384_BYTES = 48,
    NAMED_CURVE = 3, /* ECCurveType, RFC 8422 section 5.4 */
    DH_PRIME_MIN_BYTES = 256,
    DH_PRIME_MAX_BYTES = 1024,
    MESSAGE_HEADER_BYTES = 4
};

/* A view that shrinks as its fields are read; false when one is not there. */
static bool take(struct span *rest, size_t count, struct span *field)
{
    if (rest->length < count)
        return false;
    *field = span_first(*rest, count);
    *rest = span_after(*rest, count);
    return true;
}

static bool take_number(struct span *rest, size_t bytes, size_t *number)
{
    struct span field;
    if (!take(rest, bytes, &field))
        return false;
    *number = 0;
    for (size_t i = 0; i < bytes; i++)
        *number = *number << 8 | field.bytes[i];
    return true;
}

/* A field behind its length. */
static bool take_counted(struct span *rest, size_t length_bytes, struct span *field)
{
    size_t length;
    return take_number(rest, length_bytes, &length) && take(rest, length, field);
}

static bool is_all(struct span text, uint8_t byte)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] != byte)
            return false;
    return true;
}

/* ---- TLS 1.3 ---- */

/* The padding, who signs, a zero, and the hash of the transcript: of the cipher suites of TLS 1.3
 * that is SHA-256 or SHA-384. */
static bool is_tls13(struct span input, struct span who)
{
    struct span padding, context, zero;
    return take(&input, PADDING_BYTES, &padding) && is_all(padding, ' ') &&
           take(&input, who.length, &context) && span_equals(context, who) &&
           take(&input, 1, &zero) && zero.bytes[0] == 0 &&
           (input.length == SHA256_BYTES || input.length == SHA384_BYTES);
}

/* ---- TLS 1.2, a server ---- */

static bool is_point(size_t curve, struct span point)
{
    static const struct {
        size_t curve;
        size_t length;
        bool is_uncompressed; /* begins with 4: the one form left by RFC 8422 section 5.4.1 */
    } curves[] = {
        {23, 65, true},  /* secp256r1 */
        {24, 97, true},  /* secp384r1 */
        {25, 133, true}, /* secp521r1 */
        {29, 32, false}, /* x25519 */
        {30, 56, false}, /* x448 */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(curves); i++)
        if (curves[i].curve == curve)
            return point.length == curves[i].length &&
                   (!curves[i].is_uncompressed || point.bytes[0] == 4);
    return false;
}

static bool is_ecdhe(struct span parameters)
{
    size_t type, curve;
    struct span point;
    return take_number(&parameters, 1, &type) && type == NAMED_CURVE &&
           take_number(&parameters, 2, &curve) && take_counted(&parameters, 1, &point) &&
           span_is_empty(parameters) && is_point(curve, point);
}

/* Prime, generator and public value (RFC 5246 section 7.4.3). */
static bool is_dhe(struct span parameters)
{
    struct span prime, generator, value;
    return take_counted(&parameters, 2, &prime) && take_counted(&parameters, 2, &generator) &&
           take_counted(&parameters, 2, &value) && span_is_empty(parameters) &&
           prime.length >= DH_PRIME_MIN_BYTES && prime.length <= DH_PRIME_MAX_BYTES &&
           prime.bytes[0] != 0 && (prime.bytes[prime.length - 1] & 1) == 1 &&
           generator.length > 0 && generator.length <= prime.length && value.length > 0 &&
           value.length <= prime.length;
}

/* Both sides' random values, then the parameters. Random values that are spaces are the beginning
 * of something of TLS 1.3, which put them there for this reason. */
static bool is_tls12_server(struct span input)
{
    struct span randoms;
    return take(&input, (size_t)2 * RANDOM_BYTES, &randoms) && !is_all(randoms, ' ') &&
           (is_ecdhe(input) || is_dhe(input));
}

/* ---- TLS 1.2, a client ---- */

/* The messages of a handshake in which the client has a certificate, in their order (RFC 5246
 * section 7.3; RFC 6066 section 8). */
static const struct {
    uint8_t type;
    bool is_optional;
} messages[] = {
    {1, false},  /* ClientHello */
    {2, false},  /* ServerHello */
    {11, false}, /* Certificate */
    {22, true},  /* CertificateStatus */
    {12, true},  /* ServerKeyExchange */
    {13, false}, /* CertificateRequest */
    {14, false}, /* ServerHelloDone */
    {11, false}, /* Certificate, the client's */
    {16, false}, /* ClientKeyExchange */
};

static bool is_hello(struct span body)
{
    return body.length >= 2 + RANDOM_BYTES && body.bytes[0] == 3 && body.bytes[1] == 3;
}

static bool is_tls12_client(struct span input)
{
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++) {
        struct span rest = input, body;
        size_t type;
        if (take_number(&rest, 1, &type) && type == messages[i].type &&
            take_counted(&rest, MESSAGE_HEADER_BYTES - 1, &body)) {
            if (i < 2 && !is_hello(body))
                return false;
            input = rest;
        } else if (!messages[i].is_optional) {
            return false;
        }
    }
    return span_is_empty(input);
}

enum signable signable_recognize(struct span input, unsigned permitted)
{
    if (permitted & SIGNABLE_TLS13_SERVER &&
        is_tls13(input, SPAN("TLS 1.3, server CertificateVerify")))
        return SIGNABLE_TLS13_SERVER;
    if (permitted & SIGNABLE_TLS13_CLIENT &&
        is_tls13(input, SPAN("TLS 1.3, client CertificateVerify")))
        return SIGNABLE_TLS13_CLIENT;
    if (permitted & SIGNABLE_TLS12_SERVER && is_tls12_server(input))
        return SIGNABLE_TLS12_SERVER;
    if (permitted & SIGNABLE_TLS12_CLIENT && is_tls12_client(input))
        return SIGNABLE_TLS12_CLIENT;
    return SIGNABLE_NOTHING;
}
