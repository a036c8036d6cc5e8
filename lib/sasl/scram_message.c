/* sasl/scram_message - see scram_message.h. */
#include "sasl/scram_message.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/number.h"
#include "base/utf8.h"
#include "sasl/scram.h"

/* saslname: RFC 5802 section 7 ends it at a comma and knows two escapes. */
static enum parse_result decode_name(struct span text, struct arena *arena, struct span *name)
{
    struct buffer decoded;

    if (span_is_empty(text) || !utf8_is_valid(text) || span_find_byte(text, '\0') < text.length)
        return PARSE_MALFORMED;
    buffer_init(&decoded, arena, SASL_NAME_MAX_BYTES);
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.bytes[i];
        if (byte == '=') {
            const struct span escape = span_between(text, i, i + 3);
            if (span_equals(escape, SPAN("=2C")))
                byte = ',';
            else if (!span_equals(escape, SPAN("=3D")))
                return PARSE_MALFORMED;
            i += 2;
        }
        buffer_append_byte(&decoded, byte);
    }
    *name = buffer_span(&decoded);
    return buffer_ok(&decoded) ? PARSE_OK : PARSE_TOO_LONG;
}

void scram_name_append(struct buffer *output, struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.bytes[i] == ',')
            buffer_append_string(output, "=2C");
        else if (name.bytes[i] == '=')
            buffer_append_string(output, "=3D");
        else
            buffer_append_byte(output, name.bytes[i]);
}

/* cb-name: RFC 5802 section 7 */
static bool is_binding_name(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alnum(name.bytes[i]) && !span_byte_is_one_of(name, i, ".-", 2))
            return false;
    return name.length > 0;
}

/* Takes the next attribute "K=value" off *rest, up to a comma or the end. */
static bool next_attribute(struct span *rest, uint8_t key, struct span *value)
{
    struct span attribute, after;
    if (!span_split_once(*rest, ',', &attribute, &after))
        after = span_empty();
    if (attribute.length < 2 || attribute.bytes[0] != key || attribute.bytes[1] != '=')
        return false;
    *value = span_after(attribute, 2);
    *rest = after;
    return true;
}

/* attr-val: a letter, "=", one byte or more of UTF-8 without NUL and comma. What we do not know is
 * passed over (RFC 5802 section 5.1), but for "m=", which may not be. */
static bool are_extensions(struct span rest)
{
    while (!span_is_empty(rest)) {
        struct span attribute, after;
        if (!span_split_once(rest, ',', &attribute, &after))
            after = span_empty();
        else if (span_is_empty(after))
            return false;
        if (attribute.length < 3 || !ascii_is_alpha(attribute.bytes[0]) ||
            attribute.bytes[0] == 'm' || attribute.bytes[1] != '=' || !utf8_is_valid(attribute) ||
            span_find_byte(attribute, '\0') < attribute.length)
            return false;
        rest = after;
    }
    return true;
}

/* printable: 0x21 to 0x7e without comma */
static bool is_nonce(struct span nonce)
{
    for (size_t i = 0; i < nonce.length; i++)
        if (nonce.bytes[i] <= ' ' || nonce.bytes[i] >= 0x7f || nonce.bytes[i] == ',')
            return false;
    return nonce.length > 0 && nonce.length <= SCRAM_NONCE_MAX_BYTES;
}

/* Between one byte and maximum, in the arena. */
static bool decode(struct span text, struct arena *arena, size_t maximum, struct span *bytes)
{
    struct buffer decoded;
    buffer_init(&decoded, arena, maximum);
    if (base64_decode(text, &decoded) != PARSE_OK || decoded.length == 0)
        return false;
    *bytes = buffer_span(&decoded);
    return true;
}

enum parse_result gs2_header_parse(struct span message, struct arena *arena,
                                   struct gs2_header *header, size_t *consumed)
{
    struct span flag, rest, authzid;

    if (message.length > SASL_MESSAGE_MAX_BYTES)
        return PARSE_TOO_LONG;
    *header = (struct gs2_header){.binding_name = span_empty(), .authzid = span_empty()};
    if (!span_split_once(message, ',', &flag, &rest) ||
        !span_split_once(rest, ',', &authzid, &rest))
        return PARSE_MALFORMED;
    if (span_equals(flag, SPAN("n")))
        header->flag = GS2_NO_BINDING;
    else if (span_equals(flag, SPAN("y")))
        header->flag = GS2_SERVER_CANNOT;
    else if (span_starts_with(flag, SPAN("p=")) && is_binding_name(span_after(flag, 2))) {
        header->flag = GS2_BINDING_REQUIRED;
        header->binding_name = span_after(flag, 2);
    } else {
        return PARSE_MALFORMED;
    }
    if (!span_is_empty(authzid)) {
        if (!span_starts_with(authzid, SPAN("a=")))
            return PARSE_MALFORMED;
        const enum parse_result result =
            decode_name(span_after(authzid, 2), arena, &header->authzid);
        if (result != PARSE_OK)
            return result;
    }
    *consumed = message.length - rest.length;
    header->text = span_first(message, *consumed);
    return PARSE_OK;
}

enum parse_result scram_client_first_parse(struct span message, struct arena *arena,
                                           struct scram_client_first *first)
{
    size_t header_length = 0;
    struct span name;

    *first = (struct scram_client_first){.user = span_empty(), .nonce = span_empty()};
    const enum parse_result result =
        gs2_header_parse(message, arena, &first->header, &header_length);
    if (result != PARSE_OK)
        return result;
    first->bare = span_after(message, header_length);
    struct span rest = first->bare;
    /* A first attribute "m=" (mandatory extension) is refused by not being "n=". */
    if (!next_attribute(&rest, 'n', &name) || !next_attribute(&rest, 'r', &first->nonce) ||
        !is_nonce(first->nonce) || !are_extensions(rest) ||
        message.bytes[message.length - 1] == ',')
        return PARSE_MALFORMED;
    return decode_name(name, arena, &first->user);
}

enum parse_result scram_server_first_parse(struct span message, struct arena *arena,
                                           struct scram_server_first *first)
{
    struct span rest = message, salt, iterations;
    uint64_t count = 0;

    if (message.length > SASL_MESSAGE_MAX_BYTES)
        return PARSE_TOO_LONG;
    *first = (struct scram_server_first){.nonce = span_empty(), .salt = span_empty()};
    if (!next_attribute(&rest, 'r', &first->nonce) || !is_nonce(first->nonce) ||
        !next_attribute(&rest, 's', &salt) || !next_attribute(&rest, 'i', &iterations) ||
        !are_extensions(rest) || message.bytes[message.length - 1] == ',' ||
        !decode(salt, arena, SCRAM_SALT_MAX_BYTES, &first->salt) ||
        !number_parse_uint64(iterations, UINT32_MAX, &count) || count < 1 ||
        iterations.bytes[0] == '0')
        return PARSE_MALFORMED;
    first->iterations = (uint32_t)count;
    return PARSE_OK;
}

enum parse_result scram_client_final_parse(struct span message, struct arena *arena,
                                           struct scram_client_final *final)
{
    struct span rest = message, binding;

    if (message.length > SASL_MESSAGE_MAX_BYTES)
        return PARSE_TOO_LONG;
    *final = (struct scram_client_final){.nonce = span_empty(), .proof = span_empty()};
    /* The proof comes last; no other attribute's value can hold ",p=", as commas end values. */
    const size_t proof_at = span_find_last_byte(message, ',');
    if (proof_at == message.length || !span_starts_with(span_after(message, proof_at), SPAN(",p=")))
        return PARSE_MALFORMED;
    final->without_proof = span_first(message, proof_at);
    rest = final->without_proof;
    if (span_is_empty(rest) || rest.bytes[rest.length - 1] == ',' ||
        !next_attribute(&rest, 'c', &binding) ||
        !decode(binding, arena, SASL_MESSAGE_MAX_BYTES, &final->binding) ||
        !next_attribute(&rest, 'r', &final->nonce) || !is_nonce(final->nonce) ||
        !are_extensions(rest) ||
        !decode(span_after(message, proof_at + 3), arena, SASL_HASH_MAX_BYTES, &final->proof))
        return PARSE_MALFORMED;
    return PARSE_OK;
}

enum parse_result scram_server_final_parse(struct span message, struct arena *arena,
                                           struct scram_server_final *final)
{
    struct span rest = message, signature;

    if (message.length > SASL_MESSAGE_MAX_BYTES)
        return PARSE_TOO_LONG;
    *final = (struct scram_server_final){.error = span_empty(), .signature = span_empty()};
    if (span_is_empty(message) || message.bytes[message.length - 1] == ',')
        return PARSE_MALFORMED;
    if (next_attribute(&rest, 'e', &final->error))
        return span_is_empty(final->error) || !utf8_is_valid(final->error) || !are_extensions(rest)
                   ? PARSE_MALFORMED
                   : PARSE_OK;
    if (!next_attribute(&rest, 'v', &signature) || !are_extensions(rest) ||
        !decode(signature, arena, SASL_HASH_MAX_BYTES, &final->signature))
        return PARSE_MALFORMED;
    return PARSE_OK;
}
