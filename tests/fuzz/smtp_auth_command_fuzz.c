/* tests/fuzz/smtp_auth_command - AUTH and responses from hostile bytes: what is decoded stays
 * within its limit, and what is consumed within the input. */
#include <stdlib.h>

#include "smtp/auth_command.h"

enum { RESPONSE_MAX_BYTES = 256, LINE_MAX_BYTES = 300 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct smtp_auth_command command;
    struct buffer response;
    size_t consumed = 0;
    buffer_init(&response, NULL, RESPONSE_MAX_BYTES);
    if (smtp_auth_parse(input, &command, &response) == SMTP_AUTH_OK &&
        (command.mechanism.length > SMTP_AUTH_MECHANISM_MAX_BYTES || !buffer_ok(&response)))
        abort();
    buffer_reset(&response);
    switch (
        smtp_auth_response_parse(input, LINE_MAX_BYTES, length % 2 == 0, &response, &consumed)) {
    case SMTP_AUTH_OK:
        if (!buffer_ok(&response))
            abort();
        break;
    case SMTP_AUTH_NEED_MORE:
        if (length >= LINE_MAX_BYTES)
            abort();
        break;
    default:
        break;
    }
    if (consumed > length)
        abort();
    buffer_release(&response);
    return 0;
}
