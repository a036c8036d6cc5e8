/* address/scan - see scan.h. */
#include "address/scan.h"

#include "base/ascii.h"
#include "base/buffer.h"

enum {
    SCAN_ADDRESS_MAX_BYTES = 4096,
    SCAN_NAME_WORDS_MAX = 16 /* of a display name, in a table's value */
};

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_SPECIAL };

struct token {
    enum token_kind kind;
    uint8_t special; /* one of < > , ; : @ . */
    size_t begin;
    size_t end;
};

/* One address in the making. */
struct candidate {
    struct buffer text; /* without quotes */
    size_t at;          /* offset in text of the "@" that counts */
    size_t begin;
    size_t end;
    bool has_at;
    bool has_word;
    bool was_word; /* the last token was one: another beside it makes this no address */
    bool is_phrase;
    bool is_angled;
};

/* ---- tokens: RFC 5322 section 3.2 ---- */

static bool is_special(uint8_t byte)
{
    return byte == '<' || byte == '>' || byte == ',' || byte == ';' || byte == ':' || byte == '@' ||
           byte == '.';
}

/* The offset behind a comment, which may hold comments. */
static size_t skip_comment(struct span text, size_t i)
{
    size_t depth = 0;
    for (; i < text.length; i++) {
        if (text.bytes[i] == '\\')
            i++;
        else if (text.bytes[i] == '(')
            depth++;
        else if (text.bytes[i] == ')' && --depth == 0)
            return i + 1;
    }
    return text.length;
}

/* The offset behind what ends with this byte. */
static size_t skip_to(struct span text, size_t i, uint8_t last)
{
    for (i++; i < text.length; i++) {
        if (text.bytes[i] == '\\')
            i++;
        else if (text.bytes[i] == last)
            return i + 1;
    }
    return text.length;
}

static size_t skip_word(struct span text, size_t i)
{
    while (i < text.length && !is_special(text.bytes[i]) && !ascii_is_space(text.bytes[i]) &&
           text.bytes[i] != '"' && text.bytes[i] != '(' && text.bytes[i] != '[')
        i += text.bytes[i] == '\\' ? 2 : 1;
    return i < text.length ? i : text.length;
}

static struct token next_token(struct span text, size_t i)
{
    while (i < text.length && (ascii_is_space(text.bytes[i]) || text.bytes[i] == '('))
        i = text.bytes[i] == '(' ? skip_comment(text, i) : i + 1;
    if (i >= text.length)
        return (struct token){TOKEN_END, 0, text.length, text.length};
    const uint8_t byte = text.bytes[i];
    if (byte == '"')
        return (struct token){TOKEN_QUOTED, 0, i, skip_to(text, i, '"')};
    if (byte == '[')
        return (struct token){TOKEN_LITERAL, 0, i, skip_to(text, i, ']')};
    if (is_special(byte))
        return (struct token){TOKEN_SPECIAL, byte, i, i + 1};
    return (struct token){TOKEN_WORD, 0, i, skip_word(text, i)};
}

/* ---- one address ---- */

static void begin_candidate(struct candidate *candidate, bool is_angled)
{
    buffer_reset(&candidate->text);
    candidate->has_at = candidate->has_word = candidate->was_word = candidate->is_phrase = false;
    candidate->is_angled = is_angled;
}

/* Without quotes and backslashes, and on one line. */
static void append_plain(struct buffer *out, struct span text, bool is_quoted)
{
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        if (byte == '\\' && i + 1 < text.length)
            buffer_append_byte(out, text.bytes[++i]);
        else if (!(is_quoted && byte == '"') && byte != '\r' && byte != '\n')
            buffer_append_byte(out, byte);
    }
}

static void add_token(struct candidate *candidate, struct span text, const struct token *token)
{
    const struct span raw = span_between(text, token->begin, token->end);
    const bool is_word = token->kind != TOKEN_SPECIAL;

    if (!candidate->has_word && !candidate->text.length)
        candidate->begin = token->begin;
    candidate->end = token->end;
    if (is_word && candidate->was_word)
        candidate->is_phrase = true;
    candidate->was_word = is_word;
    candidate->has_word = candidate->has_word || is_word;
    if (token->special == '@') {
        candidate->has_at = true;
        candidate->at = candidate->text.length;
    }
    if (token->kind == TOKEN_LITERAL)
        buffer_append_span(&candidate->text, raw);
    else
        append_plain(&candidate->text, raw, token->kind == TOKEN_QUOTED);
}

static bool is_address(const struct candidate *candidate)
{
    return candidate->has_word && !candidate->is_phrase && buffer_ok(&candidate->text);
}

static struct address_found result_of(const struct candidate *candidate)
{
    const struct span whole = buffer_span(&candidate->text);
    struct address_found found = {.begin = candidate->begin,
                                  .end = candidate->end,
                                  .local_part = whole,
                                  .domain = span_empty(),
                                  .has_at = candidate->has_at};
    if (candidate->has_at) {
        found.local_part = span_first(whole, candidate->at);
        found.domain = span_after(whole, candidate->at + 1);
    }
    return found;
}

/* "@a,@b:" before an address in angle brackets: obsolete, and of no meaning (RFC 5322 section
 * 4.4). */
static size_t skip_route(struct span text, size_t position)
{
    struct token token = next_token(text, position);
    if (token.special != '@')
        return position;
    while (token.kind != TOKEN_END && token.special != ':' && token.special != '>')
        token = next_token(text, token.end);
    return token.special == ':' ? token.end : position;
}

/* True when *candidate is done and *position behind it. */
static bool take_token(struct candidate *candidate, struct span text, enum address_scan_style style,
                       const struct token *token, size_t *position)
{
    *position = token->end;
    switch (token->special) {
    case '<': /* what stood before was a name */
        begin_candidate(candidate, true);
        *position = skip_route(text, token->end);
        return false;
    case '>':
        return candidate->is_angled;
    case ',':
    case ';':
        return true;
    case ':': /* what stood before was a group's name */
        begin_candidate(candidate, false);
        return false;
    default:
        break;
    }
    if (style == ADDRESS_SCAN_VALUE && !candidate->is_angled && candidate->was_word &&
        token->kind != TOKEN_SPECIAL) {
        /* A display name is followed by an address in angle brackets. */
        struct token ahead = *token;
        for (size_t i = 0; i < SCAN_NAME_WORDS_MAX && ahead.kind != TOKEN_SPECIAL; i++)
            ahead = next_token(text, ahead.end);
        if (ahead.special != '<') {
            *position = token->begin;
            return true;
        }
    }
    add_token(candidate, text, token);
    return false;
}

enum parse_result address_scan_next(struct span text, enum address_scan_style style,
                                    size_t *position, struct arena *arena,
                                    struct address_found *found)
{
    struct candidate candidate = {.begin = *position};

    buffer_init(&candidate.text, arena, SCAN_ADDRESS_MAX_BYTES);
    begin_candidate(&candidate, false);
    for (;;) {
        const struct token token = next_token(text, *position);
        const bool is_last = token.kind == TOKEN_END;
        if (is_last)
            *position = text.length;
        if (!is_last && !take_token(&candidate, text, style, &token, position))
            continue;
        if (is_address(&candidate)) {
            *found = result_of(&candidate);
            return PARSE_OK;
        }
        if (!buffer_ok(&candidate.text) && !arena_alloc(arena, SCAN_ADDRESS_MAX_BYTES))
            return PARSE_TOO_LONG;
        if (is_last)
            return PARSE_NEED_MORE;
        begin_candidate(&candidate, false);
    }
}
