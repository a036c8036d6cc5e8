/* smtp/stage - see stage.h. */
#include "stage.h"

static const struct {
    const char *doing;
    const char *request;
    size_t timeout_offset; /* in struct conf_smtp */
} stages[] = {
#define WITHIN(setting) offsetof(struct conf_smtp, setting##_ms)
    [STAGE_GREETING] = {"receiving the initial server greeting", "initial server greeting",
                        WITHIN(smtp_helo_timeout)},
    [STAGE_EHLO] = {"performing the EHLO handshake", "EHLO command", WITHIN(smtp_helo_timeout)},
    [STAGE_HELO] = {"performing the HELO handshake", "HELO command", WITHIN(smtp_helo_timeout)},
    [STAGE_LHLO] = {"performing the LHLO handshake", "LHLO command", WITHIN(smtp_helo_timeout)},
    [STAGE_STARTTLS] = {"receiving the STARTTLS response", "STARTTLS command",
                        WITHIN(smtp_starttls_timeout)},
    [STAGE_XFORWARD_CLIENT] = {"sending XFORWARD name/address", "XFORWARD name/address command",
                               WITHIN(smtp_xforward_timeout)},
    [STAGE_XFORWARD_SESSION] = {"sending XFORWARD protocol/helo_name",
                                "XFORWARD helo/protocol command", WITHIN(smtp_xforward_timeout)},
    [STAGE_MAIL] = {"sending MAIL FROM", "MAIL FROM command", WITHIN(smtp_mail_timeout)},
    [STAGE_RCPT] = {"sending RCPT TO", "RCPT TO command", WITHIN(smtp_rcpt_timeout)},
    [STAGE_DATA] = {"sending DATA command", "DATA command", WITHIN(smtp_data_init_timeout)},
    [STAGE_CONTENT] = {"sending message body", "DATA command", WITHIN(smtp_data_xfer_timeout)},
    [STAGE_END_OF_DATA] = {"sending end of data -- message may be sent more than once",
                           "end of DATA command", WITHIN(smtp_data_done_timeout)},
    [STAGE_RSET] = {"sending RSET", "RSET command", WITHIN(smtp_rset_timeout)},
    [STAGE_QUIT] = {"sending QUIT", "QUIT command", WITHIN(smtp_quit_timeout)},
#undef WITHIN
};

const char *stage_doing(enum connection_stage stage)
{
    return stages[stage].doing;
}

const char *stage_request(enum connection_stage stage)
{
    return stages[stage].request;
}

int64_t stage_timeout_ms(const struct conf_smtp *settings, enum connection_stage stage)
{
    const void *field = (const uint8_t *)settings + stages[stage].timeout_offset;
    return *(const int64_t *)field;
}

bool stage_is_welcome(enum connection_stage stage)
{
    return stage <= STAGE_LHLO;
}
