/* dnswire/answer - see answer.h. */
#include "dnswire/answer.h"

#include "base/number.h"

/* The header's second 16-bit word (RFC 1035 section 4.1.1, RFC 4035 section 3). */
enum {
    HEADER_RESPONSE = 0x8000,
    HEADER_OPCODE = 0x7800,
    HEADER_AUTHORITATIVE = 0x0400,
    HEADER_TRUNCATED = 0x0200,
    HEADER_RECURSION_AVAILABLE = 0x0080,
    HEADER_AUTHENTIC_DATA = 0x0020,
    HEADER_CODE = 0x000f
};
/* RFC 1035 section 4.1.1, RFC 6891 section 9. */
enum { CODE_OK = 0, CODE_FORMAT = 1, CODE_SERVER = 2, CODE_NO_NAME = 3, CODE_REFUSED = 5 };

enum {
    RECORD_FIXED_BYTES = 10,   /* type, class, TTL, length */
    SECTION_MAX_RECORDS = 1024 /* RRSIGs and aliases beside DNS_ANSWER_MAX_RECORDS */
};

/* One resource record in place. */
struct raw_record {
    struct dns_name owner;
    uint16_t type;
    uint16_t class;
    uint32_t ttl;
    size_t data_offset;
    size_t data_length;
};

struct reader {
    struct span message;
    struct arena *arena;
    struct dns_answer *answer;
    size_t answer_offset; /* where the answer section begins */
    uint16_t answer_count;
    uint16_t flags;
    unsigned code;
    bool has_soa; /* of the authority section */
    bool has_ns;
    uint32_t negative_ttl_s;
};

struct dns_answer dns_answer_failed(enum dns_failure failure)
{
    return (struct dns_answer){
        .status = DNS_TEMPORARY, .failure = failure, .canonical_name = span_empty()};
}

static bool fail(struct reader *reader, enum dns_failure failure)
{
    *reader->answer = dns_answer_failed(failure);
    return false;
}

/* RFC 2181 section 8: the top bit set means zero. */
static uint32_t sane_ttl(uint32_t ttl)
{
    if (ttl > INT32_MAX)
        return 0;
    return ttl < DNS_TTL_MAX_S ? ttl : DNS_TTL_MAX_S;
}

static void lower_ttl(struct dns_answer *answer, uint32_t ttl_s)
{
    if (ttl_s < answer->ttl_s)
        answer->ttl_s = ttl_s;
}

static bool next_record(struct span message, size_t *offset, struct raw_record *record)
{
    size_t position;
    if (dns_name_parse(message, *offset, &record->owner, &position) != PARSE_OK ||
        message.length - position < RECORD_FIXED_BYTES)
        return false;
    const uint8_t *fixed = message.bytes + position;
    record->type = number_get_uint16(fixed);
    record->class = number_get_uint16(fixed + 2);
    record->ttl = number_get_uint32(fixed + 4);
    record->data_length = number_get_uint16(fixed + 8);
    record->data_offset = position + RECORD_FIXED_BYTES;
    if (record->data_length > message.length - record->data_offset)
        return false;
    *offset = record->data_offset + record->data_length;
    return true;
}

/* A name in record data, which it must fill to the last byte. */
static bool data_name(const struct reader *reader, const struct raw_record *record, size_t skip,
                      struct dns_name *name)
{
    const size_t end = record->data_offset + record->data_length;
    size_t name_end;
    return record->data_length > skip &&
           dns_name_parse(span_first(reader->message, end), record->data_offset + skip, name,
                          &name_end) == PARSE_OK &&
           name_end == end;
}

/* RFC 1035 section 3.3.14: one or more strings, each behind its length; joined as RFC 7208
 * section 3.3 and its kind want them. */
static bool read_txt(const struct reader *reader, struct span data, struct dns_record *result)
{
    uint8_t *joined = arena_alloc(reader->arena, data.length);
    size_t length = 0, position = 0;
    if (data.length == 0)
        return false;
    while (position < data.length) {
        const size_t string_length = data.bytes[position++];
        if (string_length > data.length - position)
            return false;
        if (joined)
            memcpy(joined + length, data.bytes + position, string_length);
        length += string_length;
        position += string_length;
    }
    result->data = span_of(joined, length);
    return true;
}

/* False where the data is malformed. When the arena is full, a span's bytes are NULL. */
static bool read_data(const struct reader *reader, const struct raw_record *record,
                      struct dns_record *result)
{
    const struct span data =
        span_of(reader->message.bytes + record->data_offset, record->data_length);
    struct dns_name name;

    *result =
        (struct dns_record){.type = record->type, .target = span_empty(), .data = span_empty()};
    switch (record->type) {
    case DNS_TYPE_A:
    case DNS_TYPE_AAAA:
        if (data.length != (record->type == DNS_TYPE_A ? 4 : 16))
            return false;
        result->data = arena_copy(reader->arena, data);
        return true;
    case DNS_TYPE_TXT:
        return read_txt(reader, data, result);
    case DNS_TYPE_PTR:
    case DNS_TYPE_CNAME:
        if (!data_name(reader, record, 0, &name))
            return false;
        break;
    case DNS_TYPE_MX:
        if (!data_name(reader, record, 2, &name))
            return false;
        result->priority = number_get_uint16(data.bytes);
        break;
    case DNS_TYPE_SRV:
        if (!data_name(reader, record, 6, &name))
            return false;
        result->priority = number_get_uint16(data.bytes);
        result->weight = number_get_uint16(data.bytes + 2);
        result->port = number_get_uint16(data.bytes + 4);
        break;
    case DNS_TYPE_TLSA:
        if (data.length < 4)
            return false;
        result->tlsa_usage = data.bytes[0];
        result->tlsa_selector = data.bytes[1];
        result->tlsa_matching_type = data.bytes[2];
        result->data = arena_copy(reader->arena, span_after(data, 3));
        return true;
    default: /* SOA: asked for to learn that a zone is there; its fields are of no use to mail */
        return true;
    }
    result->target = dns_name_text(&name, reader->arena);
    return true;
}

static bool read_header(struct reader *reader, const struct dns_question *question)
{
    const struct span message = reader->message;
    if (message.length < DNS_HEADER_BYTES)
        return fail(reader, DNS_FAILURE_MALFORMED);
    reader->flags = number_get_uint16(message.bytes + 2);
    reader->code = reader->flags & HEADER_CODE;
    reader->answer_count = number_get_uint16(message.bytes + 6);
    if (!(reader->flags & HEADER_RESPONSE) || (reader->flags & HEADER_OPCODE))
        return fail(reader, DNS_FAILURE_MISMATCH);
    const uint16_t question_count = number_get_uint16(message.bytes + 4);
    /* A server that understood nothing may repeat nothing. */
    if (question_count == 0 && reader->code == CODE_FORMAT)
        return fail(reader, DNS_FAILURE_FORMAT);
    struct dns_name name;
    size_t offset;
    if (question_count != 1)
        return fail(reader, DNS_FAILURE_MISMATCH);
    if (dns_name_parse(message, DNS_HEADER_BYTES, &name, &offset) != PARSE_OK ||
        message.length - offset < 4)
        return fail(reader, DNS_FAILURE_MALFORMED);
    if (!dns_name_equals(&name, &question->name) ||
        number_get_uint16(message.bytes + offset) != question->type ||
        number_get_uint16(message.bytes + offset + 2) != DNS_CLASS_IN)
        return fail(reader, DNS_FAILURE_MISMATCH);
    if (reader->flags & HEADER_TRUNCATED)
        return fail(reader, DNS_FAILURE_TRUNCATED);
    reader->answer_offset = offset + 4;
    return true;
}

/* RFC 2308 section 5: absence holds for the lesser of the SOA record's TTL and its MINIMUM. */
static bool read_soa(struct reader *reader, const struct raw_record *record)
{
    const size_t data_end = record->data_offset + record->data_length;
    const struct span window = span_first(reader->message, data_end);
    struct dns_name name;
    size_t offset;
    if (dns_name_parse(window, record->data_offset, &name, &offset) != PARSE_OK ||
        dns_name_parse(window, offset, &name, &offset) != PARSE_OK || data_end - offset != 20)
        return fail(reader, DNS_FAILURE_MALFORMED);
    const uint32_t minimum = sane_ttl(number_get_uint32(window.bytes + data_end - 4));
    const uint32_t ttl = sane_ttl(record->ttl);
    reader->has_soa = true;
    reader->negative_ttl_s = ttl < minimum ? ttl : minimum;
    return true;
}

/* Walks every record once, which proves the message whole, and keeps what authority and
 * additional section have to say. */
static bool read_sections(struct reader *reader)
{
    const uint8_t *header = reader->message.bytes;
    size_t offset = reader->answer_offset;
    for (size_t section = 0; section < 3; section++) {
        const uint16_t count = number_get_uint16(header + 6 + 2 * section);
        if (count > SECTION_MAX_RECORDS)
            return fail(reader, DNS_FAILURE_TOO_MUCH);
        for (uint16_t i = 0; i < count; i++) {
            struct raw_record record;
            if (!next_record(reader->message, &offset, &record))
                return fail(reader, DNS_FAILURE_MALFORMED);
            if (section == 2 && record.type == DNS_TYPE_OPT)
                reader->code |= record.ttl >> 24 << 4; /* RFC 6891 section 6.1.3 */
            if (section != 1 || record.class != DNS_CLASS_IN)
                continue;
            reader->has_ns |= record.type == DNS_TYPE_NS;
            if (record.type == DNS_TYPE_SOA && !read_soa(reader, &record))
                return false;
        }
    }
    return true; /* bytes after the last record are nobody's, and harmless */
}

static bool read_code(struct reader *reader)
{
    switch (reader->code) {
    case CODE_OK:
    case CODE_NO_NAME:
        return true;
    case CODE_FORMAT:
        return fail(reader, DNS_FAILURE_FORMAT);
    case CODE_SERVER:
        return fail(reader, DNS_FAILURE_SERVER);
    case CODE_REFUSED:
        return fail(reader, DNS_FAILURE_REFUSED);
    default:
        return fail(reader, DNS_FAILURE_OTHER_CODE);
    }
}

/* Collects the records of a type that belong to a name. Where there are none, *alias is the
 * first alias of that name, if *has_alias. */
static bool read_records(struct reader *reader, const struct dns_name *name, uint16_t type,
                         struct raw_record *alias, bool *has_alias)
{
    struct dns_answer *answer = reader->answer;
    size_t offset = reader->answer_offset, matching_count = 0;
    struct raw_record record;

    *has_alias = false;
    for (uint16_t i = 0; i < reader->answer_count; i++) {
        if (!next_record(reader->message, &offset, &record))
            return fail(reader, DNS_FAILURE_MALFORMED);
        if (record.class != DNS_CLASS_IN || !dns_name_equals(&record.owner, name))
            continue;
        if (record.type == DNS_TYPE_CNAME && !*has_alias) {
            *alias = record;
            *has_alias = true;
        }
        matching_count += record.type == type;
    }
    if (matching_count == 0)
        return true;
    if (matching_count > DNS_ANSWER_MAX_RECORDS)
        return fail(reader, DNS_FAILURE_TOO_MUCH);
    answer->records = arena_alloc(reader->arena, matching_count * sizeof(*answer->records));
    if (!answer->records)
        return fail(reader, DNS_FAILURE_RESOURCES);
    offset = reader->answer_offset;
    while (answer->record_count < matching_count) {
        if (!next_record(reader->message, &offset, &record))
            return fail(reader, DNS_FAILURE_MALFORMED);
        if (record.class != DNS_CLASS_IN || record.type != type ||
            !dns_name_equals(&record.owner, name))
            continue;
        struct dns_record *result = &answer->records[answer->record_count++];
        if (!read_data(reader, &record, result))
            return fail(reader, DNS_FAILURE_MALFORMED);
        if (!result->data.bytes || !result->target.bytes)
            return fail(reader, DNS_FAILURE_RESOURCES);
        lower_ttl(answer, sane_ttl(record.ttl));
    }
    return true;
}

/* From the question along the aliases (RFC 1034 section 3.6.2), in whatever order they stand. */
static bool follow_aliases(struct reader *reader, const struct dns_question *question,
                           bool *is_chain_complete)
{
    struct dns_answer *answer = reader->answer;
    struct dns_name name = question->name;
    struct raw_record alias = {.ttl = 0};
    bool has_alias;

    *is_chain_complete = true;
    for (unsigned steps = 0;; steps++) {
        if (!read_records(reader, &name, question->type, &alias, &has_alias))
            return false;
        if (answer->record_count > 0 || !has_alias)
            break;
        if (steps == DNS_CHAIN_MAX_ALIASES)
            return fail(reader, DNS_FAILURE_CHAIN);
        if (!data_name(reader, &alias, 0, &name))
            return fail(reader, DNS_FAILURE_MALFORMED);
        lower_ttl(answer, sane_ttl(alias.ttl));
        *is_chain_complete = false;
    }
    *is_chain_complete |= answer->record_count > 0 || reader->has_soa;
    answer->canonical_name = dns_name_text(&name, reader->arena);
    return answer->canonical_name.bytes ? true : fail(reader, DNS_FAILURE_RESOURCES);
}

void dns_answer_parse(struct span message, const struct dns_question *question, struct arena *arena,
                      struct dns_answer *answer)
{
    struct reader reader = {.message = message, .arena = arena, .answer = answer};
    bool is_chain_complete;

    *answer = (struct dns_answer){.ttl_s = DNS_TTL_MAX_S, .canonical_name = span_empty()};
    if (!read_header(&reader, question) || !read_sections(&reader) || !read_code(&reader) ||
        !follow_aliases(&reader, question, &is_chain_complete))
        return;
    answer->is_authenticated = (reader.flags & HEADER_AUTHENTIC_DATA) != 0;
    if (answer->record_count > 0) {
        if (reader.code != CODE_OK)
            (void)fail(&reader, DNS_FAILURE_MALFORMED); /* here they are, and do not exist */
        return;
    }
    answer->has_open_end = !is_chain_complete && reader.code == CODE_OK;
    /* Without an SOA record absence must not be remembered (RFC 2308 section 5). */
    if (!answer->has_open_end)
        lower_ttl(answer, reader.has_soa ? reader.negative_ttl_s : 0);
    if (reader.code == CODE_NO_NAME) {
        answer->status = DNS_NO_SUCH_NAME;
        return;
    }
    /* RFC 2308 section 2.2: name servers without SOA are a referral, not absence; and a server
     * that neither resolves nor is in charge cannot know that a chain ends. */
    const bool is_resolver = (reader.flags & HEADER_RECURSION_AVAILABLE) != 0;
    const bool is_authoritative = (reader.flags & HEADER_AUTHORITATIVE) != 0;
    if ((reader.has_ns && !reader.has_soa && !is_authoritative) ||
        (!is_resolver && (!is_chain_complete || !is_authoritative)))
        (void)fail(&reader, DNS_FAILURE_REFERRAL);
    else
        answer->status = DNS_NO_DATA;
}

const char *dns_answer_reason(const struct dns_answer *answer)
{
    switch (answer->status) {
    case DNS_FOUND:
        return "Ok";
    case DNS_NO_DATA:
        return "Host found but no data record of requested type";
    case DNS_NO_SUCH_NAME:
        return "Host not found";
    case DNS_TEMPORARY:
        break;
    }
    return answer->failure == DNS_FAILURE_MALFORMED ? "Malformed or unexpected name server reply"
                                                    : "Host not found, try again";
}

static const char *const failure_names[DNS_FAILURE_COUNT] = {
    [DNS_FAILURE_NONE] = "none",
    [DNS_FAILURE_SERVER] = "server failure",
    [DNS_FAILURE_REFUSED] = "query refused",
    [DNS_FAILURE_FORMAT] = "query not understood",
    [DNS_FAILURE_OTHER_CODE] = "unknown response code",
    [DNS_FAILURE_TRUNCATED] = "truncated answer",
    [DNS_FAILURE_MALFORMED] = "malformed answer",
    [DNS_FAILURE_MISMATCH] = "answer to another question",
    [DNS_FAILURE_REFERRAL] = "referral",
    [DNS_FAILURE_CHAIN] = "chain of aliases too long",
    [DNS_FAILURE_TOO_MUCH] = "answer too large",
    [DNS_FAILURE_TIMEOUT] = "timeout",
    [DNS_FAILURE_RESOURCES] = "out of resources",
    [DNS_FAILURE_HELPER] = "resolver process not available",
};

const char *dns_failure_name(enum dns_failure failure)
{
    return failure_names[failure];
}

enum dns_failure dns_failure_from_name(struct span name)
{
    for (enum dns_failure failure = DNS_FAILURE_NONE; failure < DNS_FAILURE_COUNT; failure++)
        if (span_equals(name, span_from_string(failure_names[failure])))
            return failure;
    return DNS_FAILURE_NONE;
}
