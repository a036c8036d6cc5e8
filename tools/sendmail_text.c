/* tools/sendmail_text - who sends what to whom: the sender, the recipients, and the text on
 * standard input. See sendmail.h. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sendmail.h"
#include "smtp/address_field.h"
#include "smtp/content.h"
#include "smtp/header.h"
#include "system/clock.h"

enum { LINE_BYTES = 32768, HEADER_MAX_BYTES = 16 << 20 };

/* ---- who ---- */

static const struct passwd *find_user(void)
{
    errno = 0;
    const struct passwd *entry = getpwuid(getuid());
    if (!entry)
        sendmail_die(EX_OSERR, "no login name found for user ID %u", (unsigned)getuid());
    return entry;
}

/* The first address. What is none goes to pickup as it is, which asks the login name instead. */
static struct span first_address(struct sendmail *sendmail, struct span text)
{
    struct smtp_address_list list;
    struct smtp_address_entry first, second;
    text = span_trim_spaces(text);
    if (text.length == 0 || span_equals(text, SPAN("<>")))
        return span_empty();
    smtp_address_list_init(&list, text);
    const bool is_one = smtp_address_list_next(&list, &sendmail->arena, &first) &&
                        !smtp_address_list_next(&list, &sendmail->arena, &second);
    if (!is_one || !first.is_address)
        sendmail_warn("-f option specified malformed sender: %.*s", SPAN_PRINTF(text));
    return first.text.length ? first.text : text;
}

/* The part of gecos before the first comma; "&" is the login name, capitalised. */
static struct span full_name_of(struct sendmail *sendmail, const struct passwd *entry)
{
    struct span gecos = span_from_string(entry->pw_gecos), before, after;
    struct buffer name;
    (void)span_split_once(gecos, ',', &gecos, &after);
    buffer_init(&name, &sendmail->arena, QUEUE_TEXT_MAX_BYTES);
    while (span_split_once(gecos, '&', &before, &gecos)) {
        buffer_append_span(&name, before);
        if (entry->pw_name[0]) {
            const uint8_t first = (uint8_t)entry->pw_name[0];
            buffer_append_byte(&name, first >= 'a' && first <= 'z' ? (uint8_t)(first - 32) : first);
            buffer_append_string(&name, entry->pw_name + 1);
        }
    }
    buffer_append_span(&name, before);
    return buffer_ok(&name) ? buffer_span(&name) : span_empty();
}

static struct span clean(struct sendmail *sendmail, struct span text)
{
    struct buffer cleaned;
    text = span_first(text, QUEUE_TEXT_MAX_BYTES);
    buffer_init(&cleaned, &sendmail->arena, QUEUE_TEXT_MAX_BYTES);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(&cleaned,
                           text.bytes[i] < 0x20 || text.bytes[i] == 0x7f ? '?' : text.bytes[i]);
    return buffer_ok(&cleaned) ? buffer_span(&cleaned) : span_empty();
}

/* A name on one line, without white space around it. */
static struct span clean_name(struct sendmail *sendmail, struct span text)
{
    struct buffer cleaned;
    buffer_init(&cleaned, &sendmail->arena, QUEUE_TEXT_MAX_BYTES);
    text = span_first(text, QUEUE_TEXT_MAX_BYTES);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(&cleaned,
                           text.bytes[i] < 0x20 || text.bytes[i] == 0x7f ? ' ' : text.bytes[i]);
    return buffer_ok(&cleaned) ? span_trim_spaces(buffer_span(&cleaned)) : span_empty();
}

static void find_sender(struct sendmail *sendmail)
{
    const char *name = sendmail->full_name ? sendmail->full_name : getenv("NAME");
    struct drop_header *header = &sendmail->header;
    if (sendmail->sender_argument) {
        header->sender = first_address(sendmail, span_from_string(sendmail->sender_argument));
        if (header->sender.length > QUEUE_TEXT_MAX_BYTES)
            sendmail_die(EX_USAGE, "the sender address is too long");
        const struct passwd *user = getpwuid(getuid());
        if (user) /* whom postdrop takes for it, too */
            header->owner = clean(sendmail, span_from_string(user->pw_name));
    } else {
        header->sender = arena_copy(&sendmail->arena, span_from_string(find_user()->pw_name));
    }
    header->sender = clean(sendmail, header->sender);
    /* As in Postfix it is the user's, whatever -f says: who really sent it. */
    const struct passwd *entry = name ? NULL : getpwuid(getuid());
    header->full_name = clean_name(sendmail, name    ? span_from_string(name)
                                             : entry ? full_name_of(sendmail, entry)
                                                     : span_empty());
    header->envid = clean(sendmail, span_from_string(sendmail->envid));
    header->time_us = clock_realtime_us();
}

/* ---- recipients ---- */

/* What is no address is a recipient, too: it fails, and the sender hears of it. */
static void drop_addresses(struct sendmail *sendmail, struct sendmail_drop *drop, struct span text)
{
    struct smtp_address_list list;
    struct smtp_address_entry entry;
    smtp_address_list_init(&list, text);
    while (smtp_address_list_next(&list, &sendmail->arena, &entry)) {
        const struct queue_recipient recipient = {.forward_path = clean(sendmail, entry.text),
                                                  .notify = sendmail->notify};
        if (recipient.forward_path.length)
            sendmail_drop_recipient(drop, &recipient);
    }
}

/* Not Apparently-To, which says who was meant and asks for nothing. */
static bool is_recipient_field(struct span name, bool is_resent)
{
    const struct span prefix = SPAN("Resent-");
    return smtp_address_field_kind(name) == SMTP_ADDRESS_FIELD_RECIPIENT &&
           !span_equals_ascii_nocase(name, SPAN("Apparently-To")) &&
           span_starts_with_ascii_nocase(name, prefix) == is_resent;
}

/* Those of the Resent- fields where there are any: the others are of the first sending (RFC 5322
 * section 3.6.6). */
static void drop_header_recipients(struct sendmail *sendmail, struct sendmail_drop *drop,
                                   struct span header)
{
    struct smtp_header_field field;
    bool is_resent = false;
    struct span rest = header;
    while (smtp_header_next(&rest, &field))
        is_resent |= is_recipient_field(field.name, true);
    rest = header;
    while (smtp_header_next(&rest, &field))
        if (is_recipient_field(field.name, is_resent))
            drop_addresses(sendmail, drop, field.value);
}

/* ---- text ---- */

struct text {
    struct sendmail *sendmail;
    struct sendmail_drop *drop;
    struct smtp_content_facts facts;
    struct buffer header;  /* with -t, until it has ended */
    bool is_past_envelope; /* of a mailbox file: "From " lines at the beginning */
    bool is_in_line;       /* what comes next continues a line */
};

static bool is_mailbox_line(struct span line)
{
    while (line.length && line.bytes[0] == '>')
        line = span_after(line, 1);
    return span_starts_with(line, SPAN("From "));
}

/* False at the dot that ends the message. A piece ends with a newline, or its line goes on. */
static bool take_piece(struct text *text, struct span piece)
{
    const bool is_line_start = !text->is_in_line;
    const bool has_end = piece.bytes[piece.length - 1] == '\n';
    struct span line = span_first(piece, piece.length - has_end);
    if (has_end && line.length && line.bytes[line.length - 1] == '\r')
        line.length--;
    text->is_in_line = !has_end;
    if (is_line_start && !text->sendmail->dot_is_text && span_equals(line, SPAN(".")))
        return false;
    /* A line as long as that is none of a mailbox file's. */
    if (is_line_start && has_end && !text->is_past_envelope && is_mailbox_line(line))
        return true;
    text->is_past_envelope = true;
    if (text->sendmail->extracts_recipients && !text->facts.is_header_done) {
        smtp_content_facts_add(&text->facts, piece);
        buffer_append_span(&text->header, piece);
        if (!buffer_ok(&text->header)) {
            (void)sendmail_drop_finish(text->drop, false);
            sendmail_die(EX_DATAERR, "the message header is too big");
        }
    }
    sendmail_drop_text(text->drop, piece);
    return true;
}

/* One line with its end, or as much of it as there is room for. 0: there is no more. */
static size_t read_piece(uint8_t *bytes, size_t capacity)
{
    size_t length = 0;
    int byte = 0;
    while (length < capacity && byte != '\n' && (byte = getc_unlocked(stdin)) != EOF)
        bytes[length++] = (uint8_t)byte;
    return length;
}

static void read_text(struct text *text)
{
    uint8_t *bytes = malloc(LINE_BYTES);
    size_t length;
    if (!bytes)
        sendmail_die(EX_OSERR, "out of memory");
    while (!text->drop->has_failed && (length = read_piece(bytes, LINE_BYTES)) > 0 &&
           take_piece(text, span_of(bytes, length)))
        ;
    free(bytes);
}

/* -bv: nothing is delivered, so nothing is read. */
static void make_probe(struct text *text)
{
    struct buffer lines;
    buffer_init(&lines, &text->sendmail->arena, HEADER_MAX_BYTES);
    buffer_append_string(&lines, "Subject: probe\nTo:");
    for (char **argument = text->sendmail->recipients; *argument; argument++)
        buffer_append_format(&lines, "%s\n %.*s", argument == text->sendmail->recipients ? "" : ",",
                             SPAN_PRINTF(clean(text->sendmail, span_from_string(*argument))));
    buffer_append_string(&lines, "\n\n");
    if (buffer_ok(&lines))
        sendmail_drop_text(text->drop, buffer_span(&lines));
}

int sendmail_submit(struct sendmail *sendmail)
{
    struct sendmail_drop drop;
    struct text text = {.sendmail = sendmail, .drop = &drop};
    find_sender(sendmail);
    if (!sendmail->recipients[0] && !sendmail->extracts_recipients)
        sendmail_die_for_user(EX_USAGE, "Recipient addresses must be specified on the command line "
                                        "or via the -t option");
    if (!span_is_empty(sendmail->header.verp_delimiters) && span_is_empty(sendmail->header.sender))
        sendmail_die(EX_TEMPFAIL, "(%u): -V option requires non-null sender address",
                     (unsigned)getuid());
    sendmail_drop_begin(sendmail, &sendmail->header, &drop);
    buffer_init(&text.header, NULL, HEADER_MAX_BYTES);
    smtp_content_facts_init(&text.facts);
    for (char **argument = sendmail->recipients; *argument; argument++)
        drop_addresses(sendmail, &drop, span_from_string(*argument));
    if (sendmail->header.flags & DROP_FLAG_VERIFY_ONLY)
        make_probe(&text);
    else
        read_text(&text);
    if (ferror(stdin)) {
        (void)sendmail_drop_finish(&drop, false);
        sendmail_die(EX_DATAERR, "error reading input: %s", strerror(errno));
    }
    if (sendmail->extracts_recipients)
        drop_header_recipients(sendmail, &drop, buffer_span(&text.header));
    buffer_release(&text.header);
    if (drop.written.recipient_count == 0) {
        (void)sendmail_drop_finish(&drop, false);
        sendmail_die_for_user(EX_USAGE, "No recipient addresses found in message header");
    }
    const int status = sendmail_drop_finish(&drop, true);
    if (status == EX_OK &&
        (sendmail->header.flags & (DROP_FLAG_VERIFY_ONLY | DROP_FLAG_SEND_REPORT)) != 0)
        (void)printf("Mail Delivery Status Report will be mailed to <%.*s>.\n",
                     SPAN_PRINTF(sendmail->header.sender));
    return status;
}
