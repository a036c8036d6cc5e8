/* smtpsession/lookups - what tables say about commands, keywords of EHLO and answers that
 * refuse. See session_private.h. */
#include <stdio.h>
#include <time.h>

#include "conf/expand.h"
#include "smtpsession/session_private.h"

enum {
    FOOTER_MAX_BYTES = 4096,
    KEYWORDS_MAX_BYTES = 1024,
    KEY_MAX_BYTES = 1024, /* that others are asked for: IPC_ADDRESS_MAX */
    LOOKUP_ARENA_BYTES = 256 * 1024,
    LOOKUP_TIMEOUT_MS = 100 * 1000
};

/* RFC 4954 section 4: what follows the mechanism is a secret, and no other process hears of it. */
static struct span without_secret(struct span line)
{
    struct span rest = line, word;
    if (!span_next_word(&rest, " ", &word) || !span_equals_ascii_nocase(word, SPAN("AUTH")) ||
        !span_next_word(&rest, " ", &word))
        return line;
    return span_first(line, (size_t)(word.bytes - line.bytes) + word.length);
}

/* Parks where others have to be asked. An error is logged. */
static enum table_result look_up(struct smtpsession *session, const char *parameter,
                                 const struct table_reference *tables, struct span key,
                                 struct buffer *value)
{
    struct addr_client *client = session->service->backend.addr;
    enum table_result result = TABLE_ERROR;
    struct span reason = SPAN("lookup error");
    if (table_reference_is_empty(tables))
        return TABLE_NOT_FOUND;
    if (tables->held) {
        result = table_list_lookup(tables->held, key, value);
        reason = table_list_error(tables->held);
    } else if (key.length > KEY_MAX_BYTES) {
        result = TABLE_NOT_FOUND; /* as if it were in none */
    } else if (client) {
        struct arena arena;
        struct span found;
        arena_init(&arena, LOOKUP_ARENA_BYTES, 0);
        const struct outcome outcome =
            addr_lookup(client, tables->names, tables->keeps_case, &key, 1,
                        clock_deadline_after(LOOKUP_TIMEOUT_MS), &arena, &found);
        buffer_append_span(value, found);
        if (outcome_is_ok(&outcome))
            result = span_is_empty(found) ? TABLE_NOT_FOUND
                     : buffer_ok(value)   ? TABLE_FOUND
                                          : TABLE_ERROR;
        arena_destroy(&arena);
    }
    if (result == TABLE_ERROR || result == TABLE_WOULD_BLOCK)
        maillog_text(session->service->log, LOG_LEVEL_WARNING, span_empty(), "%s: %.*s", parameter,
                     SPAN_PRINTF(reason));
    return result;
}

bool session_filter_command(struct smtpsession *session, struct span line)
{
    const struct table_reference *filter = &session->service->settings.command_filter;
    struct buffer *filtered = &session->filtered_command;
    while (line.length && (line.bytes[0] == ' ' || line.bytes[0] == '\t'))
        line = span_after(line, 1);
    buffer_reset(filtered);
    switch (look_up(session, "smtpd_command_filter", filter,
                    filter->held ? line : without_secret(line), filtered)) {
    case TABLE_FOUND:
        buffer_append_string(filtered, "\r\n");
        return buffer_ok(filtered);
    case TABLE_NOT_FOUND:
        return false;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        break;
    }
    session_reply(session, 421, 3, 0, "%.*s Server local data error",
                  SPAN_PRINTF(session->service->settings.server_name));
    session->end = SESSION_HAS_QUIT;
    return false;
}

void session_find_discarded_keywords(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct buffer keywords;
    session->discarded_keywords = settings->discarded_ehlo_keywords;
    buffer_init(&keywords, &session->arena, KEYWORDS_MAX_BYTES);
    if (look_up(session, "smtpd_discard_ehlo_keyword_address_maps", &settings->ehlo_discard_maps,
                session->peer.address, &keywords) == TABLE_FOUND &&
        buffer_ok(&keywords))
        session->discarded_keywords = buffer_span(&keywords);
}

/* ---- footers ---- */

struct footer_scope {
    const struct smtpsession *session;
    char port[8];
    char time[32];
};

static bool find_attribute(void *context, struct span name, struct conf_definition *definition)
{
    const struct footer_scope *scope = context;
    const struct smtpsession *session = scope->session;
    definition->is_literal = true;
    if (span_equals(name, SPAN("client_address")))
        definition->text = session->peer.address;
    else if (span_equals(name, SPAN("client_port")))
        definition->text = span_from_string(scope->port);
    else if (span_equals(name, SPAN("localtime")))
        definition->text = span_from_string(scope->time);
    else if (span_equals(name, SPAN("server_name")))
        definition->text = session->service->settings.server_name;
    else
        return false;
    return true;
}

/* Jan  4 15:42:00 */
static void write_time(char *text, size_t size)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = (time_t)(clock_realtime_us() / 1000000);
    struct tm local;
    text[0] = '\0';
    if (localtime_r(&now, &local) && local.tm_mon >= 0 && local.tm_mon < 12)
        (void)snprintf(text, size, "%s %2d %02d:%02d:%02d", months[local.tm_mon], local.tm_mday,
                       local.tm_hour, local.tm_min, local.tm_sec);
}

/* "\\n" in the template is a line end. */
static void append_lines(struct buffer *output, struct span footer)
{
    while (footer.length) {
        const size_t mark = span_find(footer, SPAN("\\n"));
        buffer_append_span(output, span_first(footer, mark));
        if (mark < footer.length)
            buffer_append_byte(output, '\n');
        footer = span_after(footer, mark + 2);
    }
}

struct span session_add_footer(struct smtpsession *session, struct span reply, struct span text,
                               struct buffer *output)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct footer_scope scope = {.session = session};
    const struct conf_scope names = {.find = find_attribute, .context = &scope};
    struct buffer found, expanded;
    struct conf_error error;
    struct span footer = settings->reject_footer;
    buffer_init(&found, NULL, FOOTER_MAX_BYTES);
    buffer_init(&expanded, NULL, FOOTER_MAX_BYTES);
    if (look_up(session, "smtpd_reject_footer_maps", &settings->reject_footer_maps, reply,
                &found) == TABLE_FOUND)
        footer = buffer_span(&found);
    (void)snprintf(scope.port, sizeof(scope.port), "%u", (unsigned)session->port);
    write_time(scope.time, sizeof(scope.time));
    if (footer.length && conf_expand(footer, &names, &expanded, &error)) {
        const bool joins = span_starts_with(buffer_span(&expanded), SPAN("\\c"));
        buffer_append_span(output, text);
        if (!joins)
            buffer_append_byte(output, '\n');
        append_lines(output, span_after(buffer_span(&expanded), joins ? 2 : 0));
        if (buffer_ok(output))
            text = buffer_span(output);
    }
    buffer_release(&expanded);
    buffer_release(&found);
    return text;
}
