/* smtp/body - see body.h. */
#include "body.h"

#include "downgrade.h"
#include "smtp/data.h"
#include "system/file.h"
#include "system/task.h"

/* So much leaves at once; between, other tasks have their turn. */
enum { FLUSH_BYTES = 4 * LOOP_BLOCK_BYTES };

struct sender {
    const struct delivery *delivery;
    struct connection *connection;
    struct smtp_data_encoder encoder;
    bool needs_encoding;         /* some line begins with a dot */
    struct downgrade *downgrade; /* NULL: the server takes the content as it is */
    uint64_t line_limit_bytes;   /* 0: no line is longer than it may be */
    uint64_t line_bytes;
    bool ends_with_newline;
    uint64_t skipped_bytes; /* of the content still to come: another header has taken their place */
};

/* Lines longer than the limit are folded as a header field would be: better a space too many than
 * a line that the server cuts or refuses (RFC 5321 section 4.5.3.1.6). */
static void write_folded(struct sender *sender, struct span piece)
{
    while (!span_is_empty(piece)) {
        const size_t line_length = span_find_byte(piece, '\n');
        const bool has_end = line_length < piece.length;
        struct span line = span_first(piece, line_length + has_end);
        piece = span_after(piece, line.length);
        /* CR and LF at the end take no room in the line. */
        while (sender->line_bytes + line.length > sender->line_limit_bytes + (has_end ? 2 : 0)) {
            const size_t room = sender->line_bytes < sender->line_limit_bytes
                                    ? (size_t)(sender->line_limit_bytes - sender->line_bytes)
                                    : 0;
            if (!has_end && line.length <= room + 1 && line.bytes[line.length - 1] == '\r')
                break;
            stream_write(&sender->connection->stream, span_first(line, room));
            stream_write(&sender->connection->stream, SPAN("\r\n "));
            line = span_after(line, room);
            sender->line_bytes = 1;
        }
        stream_write(&sender->connection->stream, line);
        sender->line_bytes = has_end ? 0 : sender->line_bytes + line.length;
    }
}

static void write_piece(struct sender *sender, struct span piece)
{
    if (sender->line_limit_bytes > 0)
        write_folded(sender, piece);
    else
        stream_write(&sender->connection->stream, piece);
}

static void write_content(void *context, struct span bytes)
{
    struct sender *sender = context;
    struct span piece;
    if (bytes.length > 0)
        sender->ends_with_newline = bytes.bytes[bytes.length - 1] == '\n';
    if (!sender->needs_encoding) {
        write_piece(sender, bytes);
        return;
    }
    while (smtp_data_encoder_next(&sender->encoder, &bytes, &piece))
        write_piece(sender, piece);
}

static void take_rest(struct sender *sender, struct span bytes,
                      void (*take)(struct sender *sender, struct span bytes))
{
    const uint64_t skipped =
        sender->skipped_bytes < bytes.length ? sender->skipped_bytes : bytes.length;
    sender->skipped_bytes -= skipped;
    if (skipped < bytes.length)
        take(sender, span_after(bytes, (size_t)skipped));
}

/* Hands the content's bytes to a function, and compares digests where there is a context. */
static enum body_result read_extent(struct sender *sender, const struct queue_extent *extent,
                                    struct digest *digest, uint8_t *block,
                                    void (*take)(struct sender *sender, struct span bytes),
                                    struct arena *arena, struct failure *failure)
{
    uint8_t seen[DIGEST_BYTES];
    uint64_t done = 0;
    if (digest)
        digest_start(digest);
    while (done < extent->length) {
        const uint64_t left = extent->length - done;
        const size_t wanted = left < LOOP_BLOCK_BYTES ? (size_t)left : LOOP_BLOCK_BYTES;
        if (file_pread_all(sender->delivery->content, block, wanted, extent->offset + done) != 0)
            return BODY_UNREADABLE;
        const struct span bytes = span_of(block, wanted);
        if (digest)
            digest_update(digest, bytes);
        take_rest(sender, bytes, take);
        done += wanted;
        if (sender->connection->stream.output.length >= FLUSH_BYTES &&
            !connection_flush(sender->connection, STAGE_CONTENT, arena, failure))
            return BODY_LOST;
        if (done % FLUSH_BYTES == 0)
            task_yield();
    }
    if (!digest)
        return BODY_SENT;
    if (!digest_finish(digest, seen))
        return BODY_UNREADABLE;
    return memcmp(seen, extent->digest, DIGEST_BYTES) == 0 ? BODY_SENT : BODY_CORRUPT;
}

static enum body_result read_all(struct sender *sender, struct digest *digest, uint8_t *block,
                                 void (*take)(struct sender *sender, struct span bytes),
                                 struct arena *arena, struct failure *failure)
{
    enum body_result result = BODY_SENT;
    if (!span_is_empty(sender->delivery->header)) {
        sender->skipped_bytes = sender->delivery->envelope.facts.header_bytes;
        take(sender, sender->delivery->header);
    }
    for (size_t i = 0; i < sender->delivery->extent_count && result == BODY_SENT; i++)
        result =
            read_extent(sender, &sender->delivery->extents[i], digest, block, take, arena, failure);
    return result;
}

static void take_for_wire(struct sender *sender, struct span bytes)
{
    write_content(sender, bytes);
}

static void take_for_downgrade(struct sender *sender, struct span bytes)
{
    downgrade_add(sender->downgrade, bytes);
}

/* Two passes: which parts have 8 bits, then out with them. */
static enum body_result send_downgraded(struct sender *sender, struct digest *digest,
                                        uint8_t *block, struct arena *arena,
                                        struct failure *failure)
{
    enum body_result result;
    downgrade_start(sender->downgrade);
    result = read_all(sender, NULL, block, take_for_downgrade, arena, failure);
    downgrade_finish(sender->downgrade);
    if (result != BODY_SENT)
        return result;
    downgrade_restart(sender->downgrade, write_content, sender);
    result = read_all(sender, digest, block, take_for_downgrade, arena, failure);
    downgrade_finish(sender->downgrade);
    return result;
}

/* ---- how it goes ---- */

static bool needs_downgrade(const struct delivery *delivery, const struct connection *connection)
{
    return !connection->extensions.has_8bitmime &&
           !connection->settings->disable_mime_output_conversion &&
           (delivery->envelope.facts.flags & QUEUE_FACT_8BIT_BODY) != 0;
}

/* 0: no line is too long. */
static uint32_t limit_lines(const struct delivery *delivery, const struct connection *connection)
{
    const uint32_t limit = connection->settings->smtp_line_length_limit;
    const bool may_be_longer = !span_is_empty(delivery->header);
    return may_be_longer || delivery->envelope.facts.longest_line_bytes > limit ? limit : 0;
}

/* ---- in one chunk ---- */

uint64_t body_size(const struct delivery *delivery)
{
    const struct queue_content_facts *facts = &delivery->envelope.facts;
    if (span_is_empty(delivery->header))
        return facts->size_bytes;
    return facts->size_bytes - facts->header_bytes + delivery->header.length;
}

static uint64_t count_bytes(const struct delivery *delivery)
{
    uint64_t count = 0;
    for (size_t i = 0; i < delivery->extent_count; i++)
        count += delivery->extents[i].length;
    return count;
}

bool body_fits_chunk(const struct delivery *delivery, const struct connection *connection)
{
    const uint64_t count = count_bytes(delivery);
    return count > 0 && count <= BODY_CHUNK_MAX_BYTES && span_is_empty(delivery->header) &&
           !needs_downgrade(delivery, connection) && limit_lines(delivery, connection) == 0;
}

static enum body_result load_extent(const struct delivery *delivery, size_t number,
                                    struct digest *digest, struct buffer *chunk)
{
    const struct queue_extent *extent = &delivery->extents[number];
    uint8_t seen[DIGEST_BYTES];
    if (extent->length == 0)
        return BODY_SENT;
    uint8_t *bytes = buffer_reserve(chunk, (size_t)extent->length);
    if (!bytes ||
        file_pread_all(delivery->content, bytes, (size_t)extent->length, extent->offset) != 0)
        return BODY_UNREADABLE;
    buffer_extend(chunk, (size_t)extent->length);
    digest_start(digest);
    digest_update(digest, span_of(bytes, (size_t)extent->length));
    if (!digest_finish(digest, seen))
        return BODY_UNREADABLE;
    return memcmp(seen, extent->digest, DIGEST_BYTES) == 0 ? BODY_SENT : BODY_CORRUPT;
}

enum body_result body_load_chunk(const struct delivery *delivery, struct buffer *chunk)
{
    struct agent_digest *digest = agent_take_digest(delivery->agent);
    enum body_result result = digest ? BODY_SENT : BODY_UNREADABLE;
    for (size_t i = 0; i < delivery->extent_count && result == BODY_SENT; i++)
        result = load_extent(delivery, i, &digest->digest, chunk);
    if (digest)
        agent_give_digest(delivery->agent, digest);
    if (result != BODY_SENT || !span_ends_with(buffer_span(chunk), SPAN("\r\n")))
        buffer_reset(chunk);
    return result;
}

/* ---- by DATA ---- */

enum body_result body_send(const struct delivery *delivery, struct connection *connection,
                           struct span *end, struct arena *arena, struct failure *failure)
{
    const struct queue_content_facts *facts = &delivery->envelope.facts;
    struct sender sender = {
        .delivery = delivery,
        .connection = connection,
        .needs_encoding = (facts->flags & QUEUE_FACT_LEADING_DOTS) != 0,
        .line_limit_bytes = limit_lines(delivery, connection),
        .ends_with_newline = true,
    };
    enum body_result result = BODY_UNREADABLE;
    struct agent_digest *digest = agent_take_digest(delivery->agent);
    uint8_t *block = loop_block_take(connection->context->loop);
    const bool is_downgraded = needs_downgrade(delivery, connection);

    smtp_data_encoder_init(&sender.encoder);
    if (is_downgraded) {
        sender.downgrade = arena_alloc(arena, sizeof(*sender.downgrade));
        sender.needs_encoding = true; /* a line may now begin with what was in the middle of one */
    }
    if (digest && block && is_downgraded && sender.downgrade)
        result = send_downgraded(&sender, &digest->digest, block, arena, failure);
    else if (digest && block && !is_downgraded)
        result = read_all(&sender, &digest->digest, block, take_for_wire, arena, failure);
    if (digest)
        agent_give_digest(delivery->agent, digest);
    if (block)
        loop_block_give(connection->context->loop, block);
    *end = sender.needs_encoding      ? smtp_data_encoder_end(&sender.encoder)
           : sender.ends_with_newline ? SPAN(".\r\n")
                                      : SPAN("\r\n.\r\n");
    return result;
}
