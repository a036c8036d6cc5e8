/* password/cram_md5 - what Dovecot keeps of a password for CRAM-MD5 (RFC 2195): the states of MD5
 * (RFC 1321) after the outer and the inner key block of HMAC (RFC 2104). Who steals them can
 * authenticate with CRAM-MD5; the password itself is safer than in clear. libcrypto does not show
 * the state of a digest, so one block of MD5 is computed here. */
#include "password/private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"

enum { BLOCK_BYTES = 64, STATE_BYTES = 16, WORDS = 16 };

/* RFC 1321 section 3.4: the shifts, and floor(2^32 * |sin(i + 1)|). */
static const uint8_t shifts[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
static const uint32_t sines[BLOCK_BYTES] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static uint32_t rotate(uint32_t value, unsigned count)
{
    return value << count | value >> (32 - count);
}

static void md5_block(uint32_t state[4], const uint8_t block[BLOCK_BYTES])
{
    uint32_t words[WORDS];
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (size_t i = 0; i < WORDS; i++)
        words[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 |
                   (uint32_t)block[4 * i + 2] << 16 | (uint32_t)block[4 * i + 3] << 24;
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        const size_t round = i / WORDS;
        uint32_t mixed;
        size_t word;
        if (round == 0) {
            mixed = (b & c) | (~b & d);
            word = i;
        } else if (round == 1) {
            mixed = (d & b) | (~d & c);
            word = (5 * i + 1) % WORDS;
        } else if (round == 2) {
            mixed = b ^ c ^ d;
            word = (3 * i + 5) % WORDS;
        } else {
            mixed = c ^ (b | ~d);
            word = 7 * i % WORDS;
        }
        const uint32_t next = b + rotate(a + mixed + sines[i] + words[word], shifts[round][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    OPENSSL_cleanse(words, sizeof(words));
}

static void append_state(const uint8_t key[BLOCK_BYTES], uint8_t pad, uint8_t out[STATE_BYTES])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t block[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        block[i] = key[i] ^ pad;
    md5_block(state, block);
    for (size_t i = 0; i < STATE_BYTES; i++)
        out[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
    OPENSSL_cleanse(block, sizeof(block));
}

/* RFC 2104 section 2: a key longer than a block is its digest. */
static bool make_states(struct span password, uint8_t states[2 * STATE_BYTES])
{
    uint8_t key[BLOCK_BYTES] = {0};
    unsigned length = 0;
    if (password.length > BLOCK_BYTES) {
        if (!EVP_Digest(password.bytes, password.length, key, &length, EVP_md5(), NULL))
            return false;
    } else {
        memcpy(key, password.bytes, password.length);
    }
    append_state(key, 0x5c, states);
    append_state(key, 0x36, states + STATE_BYTES);
    OPENSSL_cleanse(key, sizeof(key));
    return true;
}

bool cram_md5_make(struct span password, struct buffer *output)
{
    uint8_t states[2 * STATE_BYTES];
    if (!make_states(password, states))
        return false;
    hex_encode(span_of(states, sizeof(states)), output);
    OPENSSL_cleanse(states, sizeof(states));
    return true;
}

enum password_result cram_md5_verify(struct span hash, struct span password)
{
    uint8_t states[2 * STATE_BYTES];
    struct buffer decoded;
    enum password_result result = PASSWORD_UNUSABLE;
    buffer_init(&decoded, NULL, sizeof(states));
    if (hex_decode(hash, &decoded) == PARSE_OK && buffer_ok(&decoded) &&
        decoded.length == sizeof(states) && make_states(password, states))
        result = password_equal(buffer_span(&decoded), span_of(states, sizeof(states)))
                     ? PASSWORD_MATCHES
                     : PASSWORD_DIFFERS;
    buffer_release(&decoded);
    OPENSSL_cleanse(states, sizeof(states));
    return result;
}
