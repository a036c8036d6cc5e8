/* tests/keyd/signable - what is signed, and what merely looks like it. */
#include "../test.h"

#include "../../keyd/signable.h"
#include "base/buffer.h"

static void spaces(struct buffer *input)
{
    for (size_t i = 0; i < 64; i++)
        buffer_append_byte(input, ' ');
}

static void bytes(struct buffer *input, size_t count, uint8_t byte)
{
    for (size_t i = 0; i < count; i++)
        buffer_append_byte(input, byte);
}

static void tls13(struct buffer *input, const char *who, size_t hash_length)
{
    spaces(input);
    buffer_append_string(input, who);
    buffer_append_byte(input, 0);
    bytes(input, hash_length, 0x5a);
}

#define SERVER "TLS 1.3, server CertificateVerify"
#define CLIENT "TLS 1.3, client CertificateVerify"

static void server_sha256(struct buffer *input)
{
    tls13(input, SERVER, 32);
}

static void server_sha384(struct buffer *input)
{
    tls13(input, SERVER, 48);
}

static void server_sha512(struct buffer *input)
{
    tls13(input, SERVER, 64);
}

static void client_sha256(struct buffer *input)
{
    tls13(input, CLIENT, 32);
}

static void exporter(struct buffer *input)
{
    tls13(input, "TLS 1.3, server DelegatedCredentia", 32);
}

static void ecdhe(struct buffer *input, uint8_t type, uint16_t curve, size_t length, uint8_t first)
{
    bytes(input, 32, 1);
    bytes(input, 32, 2);
    buffer_append_byte(input, type);
    buffer_append_uint16(input, curve);
    buffer_append_byte(input, (uint8_t)length);
    buffer_append_byte(input, first);
    bytes(input, length - 1, 0x5a);
}

static void p256(struct buffer *input)
{
    ecdhe(input, 3, 23, 65, 4);
}

static void p384(struct buffer *input)
{
    ecdhe(input, 3, 24, 97, 4);
}

static void p521(struct buffer *input)
{
    ecdhe(input, 3, 25, 133, 4);
}

static void x25519(struct buffer *input)
{
    ecdhe(input, 3, 29, 32, 9);
}

static void x448(struct buffer *input)
{
    ecdhe(input, 3, 30, 56, 9);
}

static void compressed(struct buffer *input)
{
    ecdhe(input, 3, 23, 65, 2);
}

static void explicit_curve(struct buffer *input)
{
    ecdhe(input, 1, 23, 65, 4);
}

static void wrong_curve(struct buffer *input)
{
    ecdhe(input, 3, 24, 65, 4);
}

static void unknown_curve(struct buffer *input)
{
    ecdhe(input, 3, 99, 65, 4);
}

static void space_randoms(struct buffer *input)
{
    spaces(input);
    bytes(input, 1, 3);
    buffer_append_uint16(input, 29);
    buffer_append_byte(input, 32);
    bytes(input, 32, 7);
}

static void counted(struct buffer *input, size_t length, uint8_t byte)
{
    buffer_append_uint16(input, (uint16_t)length);
    bytes(input, length, byte);
}

static void dhe(struct buffer *input)
{
    bytes(input, 64, 1);
    counted(input, 256, 0xff);
    counted(input, 1, 2);
    counted(input, 256, 0x77);
}

static void small_dhe(struct buffer *input)
{
    bytes(input, 64, 1);
    counted(input, 128, 0xff);
    counted(input, 1, 2);
    counted(input, 128, 0x77);
}

static void message(struct buffer *input, uint8_t type, size_t length, bool is_hello)
{
    buffer_append_byte(input, type);
    buffer_append_byte(input, 0);
    buffer_append_uint16(input, (uint16_t)length);
    if (is_hello) {
        bytes(input, 2, 3);
        length -= 2;
    }
    bytes(input, length, 0x33);
}

static void transcript(struct buffer *input, bool has_status, bool has_exchange)
{
    message(input, 1, 200, true);
    message(input, 2, 80, true);
    message(input, 11, 900, false);
    if (has_status)
        message(input, 22, 100, false);
    if (has_exchange)
        message(input, 12, 300, false);
    message(input, 13, 50, false);
    message(input, 14, 0, false);
    message(input, 11, 800, false);
    message(input, 16, 66, false);
}

static void handshake(struct buffer *input)
{
    transcript(input, false, true);
}

static void handshake_with_status(struct buffer *input)
{
    transcript(input, true, true);
}

static void handshake_with_rsa(struct buffer *input)
{
    transcript(input, false, false);
}

static void handshake_and_more(struct buffer *input)
{
    transcript(input, false, true);
    message(input, 20, 12, false);
}

static void old_handshake(struct buffer *input)
{
    transcript(input, false, true);
    input->bytes[5] = 2;
}

static void disordered(struct buffer *input)
{
    message(input, 2, 80, true);
    message(input, 1, 200, true);
    message(input, 11, 900, false);
    message(input, 13, 50, false);
    message(input, 14, 0, false);
    message(input, 11, 800, false);
    message(input, 16, 66, false);
}

static void nothing(struct buffer *input)
{
    (void)input;
}

static void block(struct buffer *input)
{
    bytes(input, 256, 0x42);
}

static void mail_header(struct buffer *input)
{
    buffer_append_string(input, "from:a@example.org\r\nto:b@example.net\r\ndkim-signature:v=1; b=");
}

static const struct row {
    const char *name;
    void (*make)(struct buffer *input);
    enum signable what;
} rows[] = {
    {"TLS 1.3, server, SHA-256", server_sha256, SIGNABLE_TLS13_SERVER},
    {"TLS 1.3, server, SHA-384", server_sha384, SIGNABLE_TLS13_SERVER},
    {"TLS 1.3, server, SHA-512", server_sha512, SIGNABLE_NOTHING},
    {"TLS 1.3, client", client_sha256, SIGNABLE_TLS13_CLIENT},
    {"TLS 1.3, another context", exporter, SIGNABLE_NOTHING},
    {"P-256", p256, SIGNABLE_TLS12_SERVER},
    {"P-384", p384, SIGNABLE_TLS12_SERVER},
    {"P-521", p521, SIGNABLE_TLS12_SERVER},
    {"X25519", x25519, SIGNABLE_TLS12_SERVER},
    {"X448", x448, SIGNABLE_TLS12_SERVER},
    {"compressed point", compressed, SIGNABLE_NOTHING},
    {"explicit curve", explicit_curve, SIGNABLE_NOTHING},
    {"point of another curve", wrong_curve, SIGNABLE_NOTHING},
    {"unknown curve", unknown_curve, SIGNABLE_NOTHING},
    {"random values of spaces", space_randoms, SIGNABLE_NOTHING},
    {"DHE", dhe, SIGNABLE_TLS12_SERVER},
    {"DHE of 1024 bits", small_dhe, SIGNABLE_NOTHING},
    {"a client's handshake", handshake, SIGNABLE_TLS12_CLIENT},
    {"with a certificate's status", handshake_with_status, SIGNABLE_TLS12_CLIENT},
    {"with RSA key exchange", handshake_with_rsa, SIGNABLE_TLS12_CLIENT},
    {"more than a handshake", handshake_and_more, SIGNABLE_NOTHING},
    {"TLS 1.1", old_handshake, SIGNABLE_NOTHING},
    {"in another order", disordered, SIGNABLE_NOTHING},
    {"nothing", nothing, SIGNABLE_NOTHING},
    {"a block", block, SIGNABLE_NOTHING},
    {"a mail's header", mail_header, SIGNABLE_NOTHING},
};

static const unsigned everything = SIGNABLE_AS_SERVER | SIGNABLE_AS_CLIENT;

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer input;
        buffer_init(&input, NULL, 65536);
        rows[i].make(&input);
        const struct span text = buffer_span(&input);
        if (signable_recognize(text, everything) != rows[i].what)
            fail_msg("%s", rows[i].name);
        assert_int_equal(signable_recognize(text, everything & ~(unsigned)rows[i].what),
                         SIGNABLE_NOTHING);
        if (rows[i].what != SIGNABLE_NOTHING)
            assert_int_equal(signable_recognize(text, rows[i].what), rows[i].what);
        buffer_release(&input);
    }
}

/* Nothing that is cut short is signed, and nothing with something behind it. */
static void test_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer input;
        buffer_init(&input, NULL, 65536);
        rows[i].make(&input);
        const size_t whole = input.length;
        bytes(&input, 100, 0x5a);
        for (size_t length = 0; length <= input.length; length++) {
            const bool is_whole = length == whole && rows[i].what != SIGNABLE_NOTHING;
            const enum signable what = signable_recognize(span_of(input.bytes, length), everything);
            /* A hash that is longer by 16 is the longer hash. */
            if (rows[i].make == server_sha256 && length == whole + 16)
                assert_int_equal(what, SIGNABLE_TLS13_SERVER);
            else if (rows[i].make == client_sha256 && length == whole + 16)
                assert_int_equal(what, SIGNABLE_TLS13_CLIENT);
            else if (rows[i].make == server_sha384 && length == whole - 16)
                assert_int_equal(what, SIGNABLE_TLS13_SERVER);
            else if (rows[i].make == server_sha512 &&
                     (length == whole - 16 || length == whole - 32))
                assert_int_equal(what, SIGNABLE_TLS13_SERVER);
            else if (rows[i].make != handshake_and_more && (what != SIGNABLE_NOTHING) != is_whole)
                fail_msg("%s: %zu of %zu bytes: %d", rows[i].name, length, whole, (int)what);
        }
        buffer_release(&input);
    }
}

/* Each byte that has a meaning has it: another value there is refused. */
static void test_every_byte(void **state)
{
    (void)state;
    struct buffer input;
    buffer_init(&input, NULL, 65536);
    server_sha256(&input);
    for (size_t at = 0; at < 98; at++) {
        input.bytes[at] ^= 1;
        assert_int_equal(signable_recognize(buffer_span(&input), everything), SIGNABLE_NOTHING);
        input.bytes[at] ^= 1;
    }
    buffer_reset(&input);
    p256(&input);
    for (size_t at = 64; at < 69; at++) {
        input.bytes[at] ^= 8;
        assert_int_equal(signable_recognize(buffer_span(&input), everything), SIGNABLE_NOTHING);
        input.bytes[at] ^= 8;
    }
    buffer_release(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
