/* smtp/address_field - see address_field.h. */
#include "smtp/address_field.h"

/* As long as an address may get with quotes (ADDRESS_MAX_BYTES), and no longer. */
enum { SPEC_MAX_BYTES = 1024 };

/* What it takes to find out how one address is to be written: a question and its answer. */
enum { ONE_ADDRESS_BYTES = 256 << 10 };

enum smtp_address_field smtp_address_field_kind(struct span name)
{
    static const struct {
        struct span name;
        enum smtp_address_field kind;
    } fields[] = {
        {SPAN_LITERAL("Apparently-To"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Bcc"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Cc"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Disposition-Notification-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Errors-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("From"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Mail-Followup-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Reply-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Resent-Bcc"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Resent-Cc"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Resent-From"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Resent-Reply-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Resent-Sender"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Resent-To"), SMTP_ADDRESS_FIELD_RECIPIENT},
        {SPAN_LITERAL("Return-Receipt-To"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("Sender"), SMTP_ADDRESS_FIELD_SENDER},
        {SPAN_LITERAL("To"), SMTP_ADDRESS_FIELD_RECIPIENT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(fields); i++)
        if (span_equals_ascii_nocase(name, fields[i].name))
            return fields[i].kind;
    return SMTP_ADDRESS_FIELD_NONE;
}

enum token_kind {
    TOKEN_END,
    TOKEN_WORD, /* atom, quoted-string or domain-literal */
    TOKEN_SPECIAL
};

struct token {
    enum token_kind kind;
    uint8_t special; /* one of <>,;:@. */
    size_t begin;
    size_t end;
};

/* Behind what an opening byte began: nested for comments, backslashes heeded; the end of the value
 * where nothing closes it. */
static size_t skip_enclosed(struct span value, size_t at, uint8_t open, uint8_t close)
{
    size_t depth = 1;
    for (at++; at < value.length && depth > 0; at++) {
        const uint8_t byte = value.bytes[at];
        if (byte == '\\' && at + 1 < value.length)
            at++;
        else if (byte == close)
            depth--;
        else if (byte == open)
            depth++;
    }
    return at;
}

static bool ends_atom(uint8_t byte)
{
    return byte <= ' ' || byte == 0x7f || memchr("()<>,;:@.\"[]", byte, 12) != NULL;
}

static struct token next_token(struct span value, size_t at)
{
    while (at < value.length) {
        const uint8_t byte = value.bytes[at];
        if (byte == '(')
            at = skip_enclosed(value, at, '(', ')');
        else if (byte <= ' ' || byte == 0x7f)
            at++;
        else
            break;
    }
    struct token token = {.kind = TOKEN_END, .begin = at, .end = at};
    if (at == value.length)
        return token;
    const uint8_t byte = value.bytes[at];
    token.kind = TOKEN_WORD;
    if (byte == '"')
        token.end = skip_enclosed(value, at, '"', '"');
    else if (byte == '[')
        token.end = skip_enclosed(value, at, '[', ']');
    else if (memchr("<>,;:@.", byte, 7)) {
        token.kind = TOKEN_SPECIAL;
        token.special = byte;
        token.end = at + 1;
    } else {
        do
            token.end++;
        while (token.end < value.length && !ends_atom(value.bytes[token.end]));
    }
    return token;
}

/* What may be an addr-spec, token by token. */
struct spec {
    size_t begin, end;
    size_t text_bytes;
    bool is_begun;
    bool is_bad; /* it is none */
    bool has_at;
    bool follows_word; /* the last token was a word */
};

static void add_token(struct spec *spec, const struct token *token)
{
    const bool is_word = token->kind == TOKEN_WORD;
    if (!spec->is_begun)
        spec->begin = token->begin;
    /* Words and specials take turns: word *("." word) ["@" word *("." word)]. */
    if (is_word == spec->follows_word || (spec->has_at && token->special == '@'))
        spec->is_bad = true;
    spec->has_at = spec->has_at || token->special == '@';
    spec->is_begun = true;
    spec->follows_word = is_word;
    spec->end = token->end;
    spec->text_bytes += token->end - token->begin;
}

static bool is_address(const struct spec *spec)
{
    return spec->is_begun && !spec->is_bad && spec->follows_word &&
           spec->text_bytes <= SPEC_MAX_BYTES;
}

/* Without what stands between the tokens. */
static struct span spec_text(struct span value, const struct spec *spec, struct arena *arena)
{
    if (spec->end - spec->begin == spec->text_bytes)
        return span_between(value, spec->begin, spec->end);
    uint8_t *text = arena_alloc(arena, spec->text_bytes);
    size_t length = 0;
    if (!text)
        return span_of(NULL, 0);
    for (size_t at = spec->begin; at < spec->end;) {
        const struct token token = next_token(value, at);
        memcpy(text + length, value.bytes + token.begin, token.end - token.begin);
        length += token.end - token.begin;
        at = token.end;
    }
    return span_of(text, length);
}

/* Behind "<": up to the ">", without a source route (RFC 5322 section 4.4). */
static size_t take_angle(struct span value, size_t at, struct spec *spec)
{
    *spec = (struct spec){.is_begun = false};
    bool is_route = false;
    for (;;) {
        const struct token token = next_token(value, at);
        if (token.kind == TOKEN_END) {
            spec->is_bad = true; /* no ">" */
            return token.end;
        }
        at = token.end;
        if (token.special == '>')
            return at;
        if (token.special == '@' && !spec->is_begun)
            is_route = true;
        if (is_route) {
            is_route = token.special != ':';
            continue;
        }
        if (token.special && token.special != '.' && token.special != '@')
            spec->is_bad = true;
        add_token(spec, &token);
    }
}

bool smtp_address_field_next(struct span value, size_t *at, struct arena *arena,
                             struct smtp_field_address *address)
{
    struct spec spec = {.is_begun = false};
    bool had_angle = false;
    for (;;) {
        const struct token token = next_token(value, *at);
        *at = token.end;
        switch (token.special) {
        case '<':
            if (!had_angle)
                *at = take_angle(value, token.end, &spec);
            else
                spec.is_bad = true;
            had_angle = true;
            continue;
        case ':': /* the name of a group ends; behind an address it is an error */
            if (!had_angle)
                spec = (struct spec){.is_begun = false};
            continue;
        case ',':
        case ';':
            break;
        default:
            if (token.kind == TOKEN_END)
                break;
            if (!had_angle)
                add_token(&spec, &token);
            continue;
        }
        if (is_address(&spec)) {
            *address =
                (struct smtp_field_address){spec.begin, spec.end, spec_text(value, &spec, arena)};
            return address->text.bytes != NULL;
        }
        if (token.kind == TOKEN_END)
            return false;
        spec = (struct spec){.is_begun = false};
        had_angle = false;
    }
}

/* ---- lists of which nothing is passed over ---- */

static bool is_angle_closed(struct span value, size_t at)
{
    struct token token;
    do {
        token = next_token(value, at);
        at = token.end;
    } while (token.kind != TOKEN_END && token.special != '>');
    return token.kind != TOKEN_END;
}

/* Up to the next comma or semicolon, behind the name of a group; or up to the end of an odd name.
 */
static void find_piece(struct smtp_address_list *list)
{
    const struct span value = list->value;
    size_t at = list->at;
    bool has_odd_name = false;
    list->angle = value.length;
    list->is_in_piece = true;
    for (;;) {
        const struct token token = next_token(value, at);
        list->piece_end = token.begin;
        if (token.kind == TOKEN_END || token.special == ',' || token.special == ';')
            return;
        at = token.end;
        has_odd_name = has_odd_name || (list->takes_odd_names && token.special == '@');
        if (token.special == ':') {
            if (has_odd_name)
                return;
            list->at = at;
        } else if (token.special == '<' && !list->has_no_more_angles) {
            if (is_angle_closed(value, at)) {
                if (has_odd_name)
                    return;
                list->angle = token.begin; /* what follows it is looked at later */
                return;
            }
            list->has_no_more_angles = true;
        }
    }
}

static void take_entry(const struct smtp_address_list *list, const struct spec *spec,
                       struct span whole, struct arena *arena, struct smtp_address_entry *entry)
{
    *entry = (struct smtp_address_entry){.text = whole, .is_address = is_address(spec)};
    const struct span text =
        entry->is_address ? spec_text(list->value, spec, arena) : span_of(NULL, 0);
    if (text.bytes)
        entry->text = text;
}

/* The words up to where another address begins. False when there are none. */
static bool take_words(struct smtp_address_list *list, struct spec *spec)
{
    *spec = (struct spec){.is_begun = false};
    for (;;) {
        const struct token token = next_token(list->value, list->at);
        if (token.kind == TOKEN_END || token.begin >= list->piece_end ||
            (spec->follows_word && token.kind == TOKEN_WORD))
            return spec->is_begun;
        if (token.special && token.special != '.' && token.special != '@')
            spec->is_bad = true;
        add_token(spec, &token);
        list->at = token.end;
    }
}

bool smtp_address_list_next(struct smtp_address_list *list, struct arena *arena,
                            struct smtp_address_entry *entry)
{
    const struct span value = list->value;
    struct spec spec;
    while (list->at < value.length) {
        if (!list->is_in_piece)
            find_piece(list);
        if (list->angle < value.length) {
            list->at = take_angle(value, list->angle + 1, &spec);
            list->is_in_piece = false;
            take_entry(list, &spec, span_between(value, list->angle, list->at), arena, entry);
            return true;
        }
        if (take_words(list, &spec)) {
            take_entry(list, &spec, span_between(value, spec.begin, spec.end), arena, entry);
            return true;
        }
        list->at = list->piece_end;
        if (list->at < value.length && value.bytes[list->at] != '<') /* which begins the next */
            list->at++;
        list->is_in_piece = false;
    }
    return false;
}

bool smtp_address_field_rewrite(struct span name, struct span whole, smtp_address_replace *replace,
                                void *context, struct buffer *output)
{
    const enum smtp_address_field kind = smtp_address_field_kind(name);
    const struct span value = span_after(whole, span_find_byte(whole, ':') + 1);
    struct smtp_field_address address;
    struct arena arena; /* for one at a time: there may be many */
    size_t at = 0;
    size_t copied = 0; /* of the value */
    bool has_changed = false;
    arena_init(&arena, ONE_ADDRESS_BYTES, 0);
    buffer_append_span(output, span_first(whole, whole.length - value.length));
    while (kind != SMTP_ADDRESS_FIELD_NONE &&
           smtp_address_field_next(value, &at, &arena, &address)) {
        struct span replacement;
        if (replace(context, kind, address.text, &arena, &replacement)) {
            buffer_append_span(output, span_between(value, copied, address.begin));
            buffer_append_span(output, replacement);
            copied = address.end;
            has_changed = true;
        }
        arena_reset(&arena);
    }
    arena_destroy(&arena);
    buffer_append_span(output, span_after(value, copied));
    return has_changed;
}
