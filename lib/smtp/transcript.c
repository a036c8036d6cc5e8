/* smtp/transcript - see transcript.h. */
#include "smtp/transcript.h"

unsigned smtp_trouble_from_words(struct span words)
{
    static const struct {
        const char *word;
        unsigned trouble;
    } rows[] = {{"protocol", SMTP_TROUBLE_PROTOCOL},
                {"policy", SMTP_TROUBLE_POLICY},
                {"resource", SMTP_TROUBLE_RESOURCE},
                {"software", SMTP_TROUBLE_SOFTWARE},
                {"data", SMTP_TROUBLE_DATA}};
    struct span word;
    unsigned troubles = 0;
    while (span_next_word(&words, ", \t\r\n", &word))
        for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
            if (span_equals_ascii_nocase(word, span_from_string(rows[i].word)))
                troubles |= rows[i].trouble;
    return troubles;
}

/* RFC 5321 section 4.2.1: x0z is about syntax; RFC 3463: X.3 is the mail system, X.3.1 its room. */
unsigned smtp_trouble_of_reply(uint16_t code, const struct enhanced_status *status,
                               struct span text)
{
    const bool is_system = status && status->subject == 3;
    if (code < 400)
        return 0;
    if (is_system && status->detail == 1)
        return SMTP_TROUBLE_RESOURCE;
    if (span_find(text, SPAN("lookup failure")) < text.length)
        return SMTP_TROUBLE_DATA;
    if (is_system && status->detail != 4) /* X.3.4: the message is too large for us */
        return SMTP_TROUBLE_SOFTWARE;
    if (code == 421 || code / 10 == 50 || code == 555)
        return SMTP_TROUBLE_PROTOCOL;
    return SMTP_TROUBLE_POLICY;
}

unsigned smtp_trouble_of_remote(uint16_t code)
{
    return code / 10 == 50 || code == 555 ? SMTP_TROUBLE_PROTOCOL : 0;
}

void smtp_transcript_init(struct smtp_transcript *transcript)
{
    *transcript = (struct smtp_transcript){.troubles = 0};
    buffer_init(&transcript->text, NULL, SMTP_TRANSCRIPT_MAX_BYTES);
}

void smtp_transcript_release(struct smtp_transcript *transcript)
{
    buffer_release(&transcript->text);
}

static void add_line(struct smtp_transcript *transcript, bool was_heard, struct span line)
{
    struct buffer *text = &transcript->text;
    line = span_first(line, SMTP_TRANSCRIPT_LINE_BYTES);
    transcript->line_count++;
    /* Twice the longest line is kept free, so that the last words fit. */
    if (transcript->is_cut ||
        text->length + 2 * (line.length + sizeof(" Out: \r\n")) > SMTP_TRANSCRIPT_MAX_BYTES) {
        if (!transcript->is_cut)
            buffer_append_string(text, " ...\r\n");
        transcript->is_cut = true;
        return;
    }
    buffer_append_string(text, was_heard ? " In:  " : " Out: ");
    /* Every session with troubles to be told of passes here: at once, not byte by byte. */
    uint8_t *room = buffer_reserve(text, line.length);
    if (room) {
        for (size_t i = 0; i < line.length; i++)
            room[i] = line.bytes[i] < 0x20 || line.bytes[i] >= 0x7f ? '?' : line.bytes[i];
        buffer_extend(text, line.length);
    }
    buffer_append_string(text, "\r\n");
}

void smtp_transcript_add(struct smtp_transcript *transcript, bool was_heard, struct span lines)
{
    while (!span_is_empty(lines)) {
        const size_t end = span_find_byte(lines, '\n');
        struct span line = span_first(lines, end);
        if (span_ends_with(line, SPAN("\r")))
            line.length--;
        add_line(transcript, was_heard, line);
        lines = span_after(lines, end + 1);
    }
}
