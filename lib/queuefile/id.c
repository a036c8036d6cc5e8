/* queuefile/id - see id.h. */
#include "queuefile/id.h"

#include "base/ascii.h"

static const char symbols[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

enum {
    TIME_BASE = sizeof(symbols) - 1,
    RANDOM_BASE = TIME_BASE - 1, /* the last symbol, z, is the separator */
    SECONDS_MIN_SYMBOLS = 6,
    SECONDS_MAX_SYMBOLS = 8,
    MICROSECONDS_SYMBOLS = 4,
    RANDOM_SYMBOLS = 17, /* 51^17 is above 2^96 */
    MICROSECONDS_PER_SECOND = 1000000
};

/* Most significant symbol first. */
static void put_number(uint64_t value, size_t count, char *out)
{
    for (size_t i = count; i > 0; i--) {
        out[i - 1] = symbols[value % TIME_BASE];
        value /= TIME_BASE;
    }
}

static void put_random(const uint8_t random[QUEUE_ID_RANDOM_BYTES], char *out)
{
    uint32_t words[QUEUE_ID_RANDOM_BYTES / 4];
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        words[i] = (uint32_t)random[4 * i] << 24 | (uint32_t)random[4 * i + 1] << 16 |
                   (uint32_t)random[4 * i + 2] << 8 | random[4 * i + 3];
    for (size_t i = RANDOM_SYMBOLS; i > 0; i--) {
        uint64_t remainder = 0;
        for (size_t word = 0; word < ARRAY_LENGTH(words); word++) {
            const uint64_t dividend = remainder << 32 | words[word];
            words[word] = (uint32_t)(dividend / RANDOM_BASE);
            remainder = dividend % RANDOM_BASE;
        }
        out[i - 1] = symbols[remainder];
    }
}

size_t queue_id_make(uint64_t time_us, const uint8_t random[QUEUE_ID_RANDOM_BYTES],
                     char out[QUEUE_ID_MAX_BYTES + 1])
{
    const uint64_t seconds = time_us / MICROSECONDS_PER_SECOND;
    size_t length = SECONDS_MIN_SYMBOLS;
    uint64_t limit = 1;
    for (size_t i = 0; i < SECONDS_MIN_SYMBOLS; i++)
        limit *= TIME_BASE;
    while (length < SECONDS_MAX_SYMBOLS && seconds >= limit) {
        limit *= TIME_BASE;
        length++;
    }
    put_number(seconds, length, out);
    put_number(time_us % MICROSECONDS_PER_SECOND, MICROSECONDS_SYMBOLS, out + length);
    length += MICROSECONDS_SYMBOLS;
    out[length++] = 'z';
    put_random(random, out + length);
    length += RANDOM_SYMBOLS;
    out[length] = '\0';
    return length;
}

/* All bytes are symbols below the base; the value is taken modulo 2^64, which no time reaches. */
static bool get_number(struct span text, size_t base, uint64_t *value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.length; i++) {
        const char *symbol = memchr(symbols, text.bytes[i], base);
        if (!symbol)
            return false;
        number = number * base + (uint64_t)(symbol - symbols);
    }
    *value = number;
    return true;
}

bool queue_id_time(struct span id, uint64_t *time_us)
{
    const size_t fixed = MICROSECONDS_SYMBOLS + 1 + RANDOM_SYMBOLS;
    if (id.length < fixed + SECONDS_MIN_SYMBOLS || id.length > fixed + SECONDS_MAX_SYMBOLS)
        return false;
    const size_t seconds_length = id.length - fixed;
    const size_t separator = seconds_length + MICROSECONDS_SYMBOLS;
    uint64_t seconds, microseconds, ignored;
    if (!get_number(span_first(id, seconds_length), TIME_BASE, &seconds) ||
        !get_number(span_between(id, seconds_length, separator), TIME_BASE, &microseconds) ||
        !get_number(span_after(id, separator + 1), RANDOM_BASE, &ignored))
        return false;
    if (id.bytes[separator] != 'z' || microseconds >= MICROSECONDS_PER_SECOND ||
        seconds > (UINT64_MAX - microseconds) / MICROSECONDS_PER_SECOND)
        return false;
    if (seconds_length > SECONDS_MIN_SYMBOLS && id.bytes[0] == symbols[0])
        return false; /* one spelling for each time */
    *time_us = seconds * MICROSECONDS_PER_SECOND + microseconds;
    return true;
}

bool queue_id_random(struct span id, uint8_t random[QUEUE_ID_RANDOM_BYTES])
{
    uint32_t words[QUEUE_ID_RANDOM_BYTES / 4] = {0};
    if (!queue_id_is_valid(id))
        return false;
    const struct span text = span_after(id, id.length - RANDOM_SYMBOLS);
    for (size_t i = 0; i < text.length; i++) {
        const char *symbol = memchr(symbols, text.bytes[i], RANDOM_BASE);
        uint64_t carry = symbol ? (uint64_t)(symbol - symbols) : 0;
        for (size_t word = ARRAY_LENGTH(words); word > 0; word--) {
            carry += (uint64_t)words[word - 1] * RANDOM_BASE;
            words[word - 1] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    for (size_t i = 0; i < QUEUE_ID_RANDOM_BYTES; i++)
        random[i] = (uint8_t)(words[i / 4] >> (24 - i % 4 * 8));
    return true;
}

bool queue_id_is_valid(struct span id)
{
    uint64_t ignored;
    return queue_id_time(id, &ignored);
}

bool queue_id_is_name(struct span text)
{
    enum { NAME_MAX_BYTES = 100 };
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_alnum(text.bytes[i]) && text.bytes[i] != '_')
            return false;
    return text.length > 0 && text.length <= NAME_MAX_BYTES;
}
