/* agent/status_filter - see status_filter.h. */
#include "agent/status_filter.h"

enum { TEXT_MAX_BYTES = 1900 /* of a reason, within the limits of messages */, SHOWN_BYTES = 200 };

bool status_filter_open(struct status_filter *filter, const char *parameter, struct span names,
                        struct maillog *log, struct conf_error *error)
{
    error->text[0] = '\0';
    *filter = (struct status_filter){
        parameter, table_held_open(parameter, names, TABLE_KEEP_CASE, error), log};
    return error->text[0] == '\0';
}

static enum outcome_kind kind_of(const struct enhanced_status *status)
{
    return status->class == 2   ? OUTCOME_OK
           : status->class == 4 ? OUTCOME_TEMPORARY
                                : OUTCOME_PERMANENT;
}

/* The reply code belongs to the class: 450 for 550. */
static uint16_t reply_code_for(const struct outcome *outcome, enum outcome_kind kind)
{
    if (outcome->kind == OUTCOME_PERMANENT && kind == OUTCOME_TEMPORARY &&
        outcome->reply_code >= 500)
        return (uint16_t)(outcome->reply_code - 100);
    if (outcome->kind == OUTCOME_TEMPORARY && kind == OUTCOME_PERMANENT &&
        outcome->reply_code / 100 == 4)
        return (uint16_t)(outcome->reply_code + 100);
    return outcome->reply_code;
}

static bool replace(struct span result, struct outcome *outcome, struct arena *arena)
{
    struct enhanced_status status;
    size_t length;
    if (!enhanced_status_parse(result, &status, &length) ||
        (kind_of(&status) == OUTCOME_OK) != (outcome->kind == OUTCOME_OK))
        return false;
    struct span text = span_trim_spaces(span_after(result, length));
    text = arena_copy(arena, span_first(text, TEXT_MAX_BYTES));
    outcome->reply_code = reply_code_for(outcome, kind_of(&status));
    outcome->kind = kind_of(&status);
    outcome->status = status;
    if (text.bytes && text.length)
        outcome->reason = text;
    return true;
}

static void complain(const struct status_filter *filter, struct span query, struct span result)
{
    maillog_text(filter->log, LOG_LEVEL_WARNING, span_empty(),
                 "%s: \"%.*s\" cannot stand for \"%.*s\"", filter->parameter,
                 SPAN_PRINTF(span_first(result, SHOWN_BYTES)),
                 SPAN_PRINTF(span_first(query, SHOWN_BYTES)));
}

void status_filter_change(void *context, struct outcome *outcome, struct arena *arena)
{
    const struct status_filter *filter = context;
    struct buffer query, result;
    if (!filter->tables)
        return;
    buffer_init(&query, NULL, 2 * TEXT_MAX_BYTES);
    buffer_init(&result, NULL, TABLE_VALUE_MAX_BYTES);
    buffer_append_format(&query, "%u.%u.%u %.*s", outcome->status.class, outcome->status.subject,
                         outcome->status.detail,
                         SPAN_PRINTF(span_first(outcome->reason, TEXT_MAX_BYTES)));
    const enum table_result found = table_list_lookup(filter->tables, buffer_span(&query), &result);
    if (found == TABLE_ERROR)
        maillog_text(filter->log, LOG_LEVEL_WARNING, span_empty(), "%s: %.*s", filter->parameter,
                     SPAN_PRINTF(table_list_error(filter->tables)));
    else if (found == TABLE_FOUND && !replace(buffer_span(&result), outcome, arena))
        complain(filter, buffer_span(&query), buffer_span(&result));
    buffer_release(&result);
    buffer_release(&query);
}
