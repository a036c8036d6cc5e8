/* queuefile/preamble - see preamble.h. */
#include "queuefile/preamble.h"

#include <openssl/crypto.h>

#include "base/number.h"
#include "queuefile/envelope.h"

/* Not text, so that no mail and no log can be taken for a queue file. */
static const uint8_t magic[8] = {0x8a, 'P', 'h', 'Q', 'u', '\r', '\n', 0x00};

/* Offsets in the sector; all integers are big-endian. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_EXTENT_COUNT = 10,
    AT_RECIPIENT_COUNT = 12,
    AT_KEY_ID = 16,
    AT_CONTENT_SIZE = 24,
    AT_ENVELOPE_OFFSET = 32,
    AT_ENVELOPE_LENGTH = 40,
    AT_STATE_OFFSET = 48,
    AT_RESERVED = 56,
    AT_EXTENTS = 96,
    AT_MAC = AT_EXTENTS + QUEUE_EXTENT_MAX * QUEUE_EXTENT_BYTES,
    STATE_ALIGNMENT = 512
};
_Static_assert(AT_MAC + DIGEST_BYTES == QUEUE_FILE_PREAMBLE_BYTES, "the preamble is full");

/* Far above any file, far below overflow of a sum. */
static const uint64_t file_max_bytes = UINT64_C(1) << 56;

const char *queue_file_result_name(enum queue_file_result result)
{
    static const char *const names[] = {
        [QUEUE_FILE_OK] = "ok",
        [QUEUE_FILE_ABSENT] = "no preamble",
        [QUEUE_FILE_UNKNOWN_VERSION] = "unknown format version",
        [QUEUE_FILE_UNKNOWN_KEY] = "written under another key",
        [QUEUE_FILE_WRONG_MAC] = "wrong authentication code",
        [QUEUE_FILE_UNPROVEN] = "cannot be verified now",
        [QUEUE_FILE_MALFORMED] = "malformed preamble",
    };
    return names[result];
}

bool queue_preamble_add_extent(struct queue_preamble *preamble, const struct queue_extent *extent)
{
    if (preamble->extent_count >= QUEUE_EXTENT_MAX || extent->offset < QUEUE_FILE_CONTENT_OFFSET ||
        extent->offset > file_max_bytes || extent->length > file_max_bytes)
        return false;
    preamble->extents[preamble->extent_count++] = *extent;
    preamble->content_size += extent->length;
    return true;
}

bool queue_preamble_place(struct queue_preamble *preamble, uint64_t content_end,
                          uint64_t envelope_length, uint32_t recipient_count)
{
    if (content_end > file_max_bytes || envelope_length > QUEUE_ENVELOPE_MAX_BYTES)
        return false;
    preamble->envelope_offset = content_end;
    preamble->envelope_length = envelope_length;
    preamble->state_offset =
        (content_end + envelope_length + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    preamble->recipient_count = recipient_count;
    return true;
}

/* Content lies between preamble and envelope, the state after the envelope. */
static bool numbers_agree(const struct queue_preamble *preamble)
{
    uint64_t sum = 0;
    if (preamble->extent_count > QUEUE_EXTENT_MAX || preamble->envelope_offset > file_max_bytes ||
        preamble->envelope_offset < QUEUE_FILE_CONTENT_OFFSET ||
        preamble->envelope_length > QUEUE_ENVELOPE_MAX_BYTES ||
        preamble->state_offset > 2 * file_max_bytes ||
        preamble->state_offset % STATE_ALIGNMENT != 0 ||
        preamble->state_offset < preamble->envelope_offset + preamble->envelope_length)
        return false;
    for (size_t i = 0; i < preamble->extent_count; i++) {
        const struct queue_extent *extent = &preamble->extents[i];
        if (extent->offset < QUEUE_FILE_CONTENT_OFFSET ||
            extent->offset > preamble->envelope_offset ||
            extent->length > preamble->envelope_offset - extent->offset)
            return false;
        sum += extent->length;
    }
    return sum == preamble->content_size;
}

static void put_extent(const struct queue_extent *extent, uint8_t *out)
{
    number_put_uint64(out, extent->offset);
    number_put_uint64(out + 8, extent->length);
    memcpy(out + 16, extent->digest, DIGEST_BYTES);
}

static void get_extent(const uint8_t *bytes, struct queue_extent *extent)
{
    extent->offset = number_get_uint64(bytes);
    extent->length = number_get_uint64(bytes + 8);
    memcpy(extent->digest, bytes + 16, DIGEST_BYTES);
}

/* The id is under the MAC, so that a file renamed to another id does not pass. */
static bool compute_mac(const uint8_t *sector, struct span queue_id, struct span envelope,
                        struct queue_key *key, uint8_t out[DIGEST_BYTES])
{
    uint8_t id_length[2];
    uint16_t length;
    if (!number_to_uint16(queue_id.length, &length))
        return false;
    number_put_uint16(id_length, length);
    const struct span parts[] = {
        span_of(sector, AT_MAC),
        span_of(id_length, sizeof(id_length)),
        queue_id,
        envelope,
    };
    return queue_key_mac(key, parts, ARRAY_LENGTH(parts), out);
}

bool queue_preamble_encode(const struct queue_preamble *preamble, struct span queue_id,
                           struct span envelope, struct queue_key *key,
                           uint8_t out[QUEUE_FILE_PREAMBLE_BYTES])
{
    if (!numbers_agree(preamble) || envelope.length != preamble->envelope_length)
        return false;
    memset(out, 0, QUEUE_FILE_PREAMBLE_BYTES);
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    number_put_uint16(out + AT_VERSION, QUEUE_FILE_VERSION);
    number_put_uint16(out + AT_EXTENT_COUNT, (uint16_t)preamble->extent_count);
    number_put_uint32(out + AT_RECIPIENT_COUNT, preamble->recipient_count);
    memcpy(out + AT_KEY_ID, key->id, QUEUE_KEY_ID_BYTES);
    number_put_uint64(out + AT_CONTENT_SIZE, preamble->content_size);
    number_put_uint64(out + AT_ENVELOPE_OFFSET, preamble->envelope_offset);
    number_put_uint64(out + AT_ENVELOPE_LENGTH, preamble->envelope_length);
    number_put_uint64(out + AT_STATE_OFFSET, preamble->state_offset);
    for (size_t i = 0; i < preamble->extent_count; i++)
        put_extent(&preamble->extents[i], out + AT_EXTENTS + i * QUEUE_EXTENT_BYTES);
    return compute_mac(out, queue_id, envelope, key, out + AT_MAC);
}

static bool is_all_zero(const uint8_t *bytes, size_t length)
{
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++)
        any |= bytes[i];
    return any == 0;
}

enum queue_file_result queue_preamble_decode(struct span bytes, struct queue_preamble *preamble)
{
    /* Only a hole is taken for "never acknowledged", which lets qmgr remove the file: a damaged
     * magic with something after it may be a message that we promised to keep. */
    if (bytes.length < QUEUE_FILE_PREAMBLE_BYTES ||
        is_all_zero(bytes.bytes, QUEUE_FILE_PREAMBLE_BYTES))
        return QUEUE_FILE_ABSENT;
    const uint8_t *sector = bytes.bytes;
    if (memcmp(sector + AT_MAGIC, magic, sizeof(magic)) != 0)
        return QUEUE_FILE_MALFORMED;
    if (number_get_uint16(sector + AT_VERSION) != QUEUE_FILE_VERSION)
        return QUEUE_FILE_UNKNOWN_VERSION;
    struct queue_preamble parsed = {
        .extent_count = number_get_uint16(sector + AT_EXTENT_COUNT),
        .recipient_count = number_get_uint32(sector + AT_RECIPIENT_COUNT),
        .content_size = number_get_uint64(sector + AT_CONTENT_SIZE),
        .envelope_offset = number_get_uint64(sector + AT_ENVELOPE_OFFSET),
        .envelope_length = number_get_uint64(sector + AT_ENVELOPE_LENGTH),
        .state_offset = number_get_uint64(sector + AT_STATE_OFFSET),
    };
    if (parsed.extent_count > QUEUE_EXTENT_MAX)
        return QUEUE_FILE_MALFORMED;
    memcpy(parsed.key_id, sector + AT_KEY_ID, QUEUE_KEY_ID_BYTES);
    const size_t extents_end = AT_EXTENTS + parsed.extent_count * QUEUE_EXTENT_BYTES;
    for (size_t i = 0; i < parsed.extent_count; i++)
        get_extent(sector + AT_EXTENTS + i * QUEUE_EXTENT_BYTES, &parsed.extents[i]);
    if (!numbers_agree(&parsed) || !is_all_zero(sector + AT_RESERVED, AT_EXTENTS - AT_RESERVED) ||
        !is_all_zero(sector + extents_end, AT_MAC - extents_end))
        return QUEUE_FILE_MALFORMED;
    *preamble = parsed;
    return QUEUE_FILE_OK;
}

enum queue_file_result queue_preamble_verify(struct span bytes, struct span queue_id,
                                             struct span envelope, struct queue_key *key)
{
    uint8_t expected[DIGEST_BYTES];
    if (bytes.length < QUEUE_FILE_PREAMBLE_BYTES)
        return QUEUE_FILE_WRONG_MAC;
    if (memcmp(bytes.bytes + AT_KEY_ID, key->id, QUEUE_KEY_ID_BYTES) != 0)
        return QUEUE_FILE_UNKNOWN_KEY;
    if (!compute_mac(bytes.bytes, queue_id, envelope, key, expected))
        return QUEUE_FILE_UNPROVEN;
    return CRYPTO_memcmp(expected, bytes.bytes + AT_MAC, DIGEST_BYTES) == 0 ? QUEUE_FILE_OK
                                                                            : QUEUE_FILE_WRONG_MAC;
}

void queue_extents_encode(const struct queue_extent *extents, size_t count, struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[QUEUE_EXTENT_BYTES];
        put_extent(&extents[i], bytes);
        buffer_append(out, bytes, sizeof(bytes));
    }
}

enum parse_result queue_extents_decode(struct span bytes,
                                       struct queue_extent extents[QUEUE_EXTENT_MAX], size_t *count)
{
    if (bytes.length > (size_t)QUEUE_EXTENT_MAX * QUEUE_EXTENT_BYTES)
        return PARSE_TOO_LONG;
    if (bytes.length % QUEUE_EXTENT_BYTES != 0)
        return PARSE_NEED_MORE;
    *count = bytes.length / QUEUE_EXTENT_BYTES;
    for (size_t i = 0; i < *count; i++)
        get_extent(bytes.bytes + i * QUEUE_EXTENT_BYTES, &extents[i]);
    return PARSE_OK;
}
