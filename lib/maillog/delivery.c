/* maillog/delivery - see delivery.h. */
#include "maillog/delivery.h"

enum { SECOND_US = 1000000, SECOND_DIGITS = 6, BASE = 10, SIGNIFICANT_RANGE = 100 };

void maillog_put_delay(struct buffer *line, uint64_t delay_us, unsigned digits)
{
    const uint64_t longest_us = UINT64_MAX - SECOND_US;
    const uint64_t capped_us = delay_us < longest_us ? delay_us : longest_us;
    uint64_t unit_us = 1;
    for (unsigned i = digits; i < SECOND_DIGITS; i++)
        unit_us *= BASE;
    while (unit_us < SECOND_US && capped_us >= unit_us * SIGNIFICANT_RANGE)
        unit_us *= BASE;
    const uint64_t rounded_us = (capped_us + unit_us / 2) / unit_us * unit_us;
    buffer_append_decimal(line, rounded_us / SECOND_US, 1);
    unsigned fraction = (unsigned)(rounded_us % SECOND_US);
    unsigned width = SECOND_DIGITS;
    if (fraction == 0)
        return;
    for (; fraction % BASE == 0; width--)
        fraction /= BASE;
    buffer_append_byte(line, '.');
    buffer_append_decimal(line, fraction, width);
}

void maillog_delivery(struct maillog *log, struct span queue_id,
                      const struct log_delivery *delivery)
{
    static const char *const statuses[] = {
        [LOG_DELIVERY_SENT] = "sent",
        [LOG_DELIVERY_DEFERRED] = "deferred",
        [LOG_DELIVERY_BOUNCED] = "bounced",
        [LOG_DELIVERY_SOFT_BOUNCED] = "SOFTBOUNCE",
    };
    const uint64_t parts_us[] = {delivery->before_queue_us, delivery->in_queue_us,
                                 delivery->connection_us, delivery->transmission_us};
    uint64_t sum_us = 0;
    const char *status = statuses[delivery->status];
    if (delivery->is_verification)
        status = delivery->status == LOG_DELIVERY_SENT ? "deliverable" : "undeliverable";
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    maillog_put_address(line, "to", delivery->recipient);
    if (!span_is_empty(delivery->original_recipient) &&
        !span_equals(delivery->original_recipient, delivery->recipient))
        maillog_put_address(line, ", orig_to", delivery->original_recipient);
    buffer_append_string(line, ", relay=");
    buffer_append_span(line, span_is_empty(delivery->relay) ? SPAN("none") : delivery->relay);
    if (delivery->connection_use > 1)
        buffer_append_format(line, ", conn_use=%u", delivery->connection_use);
    for (size_t i = 0; i < ARRAY_LENGTH(parts_us); i++)
        sum_us += parts_us[i];
    buffer_append_string(line, ", delay=");
    maillog_put_delay(line, sum_us, log->delay_digits);
    for (size_t i = 0; i < ARRAY_LENGTH(parts_us); i++) {
        buffer_append_string(line, i == 0 ? ", delays=" : "/");
        maillog_put_delay(line, parts_us[i], log->delay_digits);
    }
    buffer_append_string(line, ", dsn=");
    enhanced_status_put(line, delivery->dsn);
    buffer_append_string(line, ", status=");
    buffer_append_string(line, status);
    buffer_append_string(line, " (");
    buffer_append_span(line, delivery->text);
    buffer_append_byte(line, ')');
    maillog_end(log);
}
