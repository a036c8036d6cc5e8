/* tools/login_sender - see login_sender.h. */
#include "login_sender.h"

#include <errno.h>
#include <stdio.h>

#include "address/mailbox.h"
#include "base/ascii.h"
#include "table/list.h"

enum { PATTERNS_MAX_BYTES = 1 << 20 };

static void warn(void *context, struct span text)
{
    (void)context;
    (void)fprintf(stderr, "%s: warning: %.*s\n", program_invocation_short_name, SPAN_PRINTF(text));
}

enum login_sender_result login_sender_find(struct span maps, struct span login, struct arena *arena,
                                           struct span *patterns)
{
    const struct table_options options = {.flags = TABLE_MAY_BLOCK, .warn = warn};
    struct buffer value;
    *patterns = SPAN("*");
    if (span_equals(span_trim_spaces(maps), SPAN("static:*")))
        return LOGIN_SENDER_FOUND;
    struct table_list *list = table_list_open(maps, &options);
    buffer_init(&value, arena, PATTERNS_MAX_BYTES);
    const enum table_result result = list ? table_list_lookup(list, login, &value) : TABLE_ERROR;
    table_list_close(&list);
    *patterns = buffer_ok(&value) ? buffer_span(&value) : span_empty();
    return result == TABLE_FOUND && buffer_ok(&value) ? LOGIN_SENDER_FOUND
           : result == TABLE_NOT_FOUND                ? LOGIN_SENDER_NONE
                                                      : LOGIN_SENDER_ERROR;
}

/* The local-part up to its extension; the whole of it where it has none, and where pickup may find
 * a domain in it (user+x%domain). */
static struct span without_extension(const struct mailbox *mailbox, struct span delimiters)
{
    const struct span local_part = mailbox->local_part;
    if (mailbox->domain.length == 0 && span_find_byte(local_part, '%') < local_part.length)
        return local_part;
    for (size_t i = 1; i < local_part.length; i++)
        if (span_find_byte(delimiters, local_part.bytes[i]) < delimiters.length)
            return span_first(local_part, i);
    return local_part;
}

static bool is_address(struct span pattern, struct span local_part, struct span domain)
{
    const size_t at = span_find_last_byte(pattern, '@');
    return span_equals_ascii_nocase(span_first(pattern, at), local_part) &&
           span_equals_ascii_nocase(span_after(pattern, at < pattern.length ? at + 1 : at), domain);
}

bool login_sender_matches(struct span patterns, struct span sender, struct span delimiters,
                          struct span null_pattern, struct arena *arena)
{
    struct mailbox mailbox;
    struct span pattern;
    /* Only what pickup will take for the same: what is no address for it is nobody's. */
    const bool is_parsed = mailbox_parse(sender, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8,
                                         arena, &mailbox) == PARSE_OK;
    while (span_next_word(&patterns, ", \t\r\n", &pattern)) {
        if (span_equals(pattern, SPAN("*")))
            return true;
        if (sender.length == 0 && span_equals(pattern, null_pattern))
            return true;
        if (!is_parsed)
            continue;
        if (pattern.bytes[0] == '@') {
            if (mailbox.domain.length &&
                span_equals_ascii_nocase(span_after(pattern, 1), mailbox.domain))
                return true;
        } else if (is_address(pattern, mailbox.local_part, mailbox.domain) ||
                   is_address(pattern, without_extension(&mailbox, delimiters), mailbox.domain)) {
            return true;
        }
    }
    return false;
}
