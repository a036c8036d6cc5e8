/* tools/drop_text - see drop_text.h. */
#include "drop_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "queuefile/drop.h"
#include "smtp/content.h"
#include "system/file.h"

enum { FILE_MAX_BYTES = 256 << 20 };

struct parts {
    bool envelope, header, body;
};

bool drop_text_is(struct span beginning)
{
    struct drop_reader reader;
    struct drop_event event;
    drop_reader_init(&reader);
    return beginning.length > 0 &&
           drop_reader_next(&reader, &beginning, &event) != PARSE_MALFORMED && reader.has_begun;
}

static void put_field(const char *name, struct span value)
{
    (void)printf("%s: ", name);
    for (size_t i = 0; i < value.length; i++)
        (void)putchar(value.bytes[i] >= 0x20 && value.bytes[i] != 0x7f ? value.bytes[i] : '?');
    (void)putchar('\n');
}

static void put_header(const struct drop_header *header)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } flags[] = {{DROP_FLAG_VERIFY_ONLY, "verify_only"},
                 {DROP_FLAG_SEND_REPORT, "send_report"},
                 {DROP_FLAG_SMTPUTF8, "smtputf8"},
                 {DROP_FLAG_BODY_8BITMIME, "8bitmime"},
                 {DROP_FLAG_REQUIRETLS, "requiretls"}};
    char when[64] = "";
    const time_t second = (time_t)(header->time_us / 1000000U);
    struct tm parts;
    if (localtime_r(&second, &parts))
        (void)strftime(when, sizeof(when), "%a %b %e %H:%M:%S %Y", &parts);
    (void)printf("message_arrival_time: %s\n", when);
    put_field("sender", header->sender);
    if (header->full_name.length)
        put_field("sender_fullname", header->full_name);
    if (header->envid.length)
        put_field("envid", header->envid);
    if (header->verp_delimiters.length)
        put_field("verp_delimiters", header->verp_delimiters);
    for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
        if (header->flags & flags[i].flag)
            (void)printf("flag: %s\n", flags[i].name);
}

static void put_recipient(const struct queue_recipient *recipient)
{
    if (recipient->orcpt.length)
        put_field("dsn_orig_rcpt", recipient->orcpt);
    if (recipient->notify)
        (void)printf("notify_flags: %u\n", recipient->notify);
    put_field("recipient", recipient->forward_path);
}

/* Byte by byte, as that tells where the header ends. The empty line is the first of the body. */
static void put_text(struct smtp_content_facts *facts, const struct parts *parts, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        const bool was_header = !facts->is_header_done;
        smtp_content_facts_add(facts, span_of(text.bytes + i, 1));
        const bool is_header = was_header && !facts->is_header_done;
        if (text.bytes[i] != '\r' && (is_header ? parts->header : parts->body))
            (void)putchar(text.bytes[i]);
    }
}

/* Envelope or text; false where the file is not whole. */
static bool walk(struct span bytes, const struct parts *parts, bool is_text)
{
    struct drop_reader reader;
    struct drop_event event;
    struct smtp_content_facts facts;
    drop_reader_init(&reader);
    smtp_content_facts_init(&facts);
    while (drop_reader_next(&reader, &bytes, &event) == PARSE_OK) {
        if (event.kind == DROP_EVENT_HEADER && !is_text)
            put_header(&event.header);
        else if (event.kind == DROP_EVENT_RECIPIENT && !is_text)
            put_recipient(&event.recipient);
        else if (event.kind == DROP_EVENT_TEXT && is_text)
            put_text(&facts, parts, event.text);
    }
    return reader.is_at_end && bytes.length == 0;
}

const char *drop_text_show(int descriptor, const char *name, bool shows_envelope, bool shows_header,
                           bool shows_body)
{
    const struct parts parts = {shows_envelope, shows_header, shows_body};
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return strerror(errno);
    if (facts.st_size < 0 || facts.st_size > FILE_MAX_BYTES)
        return "the file is too big";
    const size_t length = (size_t)facts.st_size;
    uint8_t *bytes = malloc(length + 1);
    if (!bytes || file_pread_all(descriptor, bytes, length, 0) != 0) {
        free(bytes);
        return "the file cannot be read";
    }
    bool is_whole = true;
    if (parts.envelope) {
        (void)printf("*** ENVELOPE RECORDS %s ***\nowner: %u\n", name, (unsigned)facts.st_uid);
        is_whole = walk(span_of(bytes, length), &parts, false);
    }
    if (parts.envelope && (parts.header || parts.body))
        (void)printf("*** MESSAGE CONTENTS %s ***\n", name);
    if (parts.header || parts.body)
        is_whole &= walk(span_of(bytes, length), &parts, true);
    if (parts.envelope)
        (void)printf("*** MESSAGE FILE END %s ***\n", name);
    free(bytes);
    return is_whole ? NULL : "the file is not whole";
}
