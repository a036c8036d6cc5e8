/* smtp/mirror - see mirror.h. */
#include "mirror.h"

/* LHLO is the greeting of LMTP (RFC 2033 section 4.1), in settings, too. */
static const struct {
    struct span lmtp;
    struct span smtp;
} renamed[] = {
    {SPAN_LITERAL("lmtp_lhlo_name"), SPAN_LITERAL("smtp_helo_name")},
    {SPAN_LITERAL("lmtp_lhlo_timeout"), SPAN_LITERAL("smtp_helo_timeout")},
    {SPAN_LITERAL("lmtp_discard_lhlo_keywords"), SPAN_LITERAL("smtp_discard_ehlo_keywords")},
    {SPAN_LITERAL("lmtp_discard_lhlo_keyword_address_maps"),
     SPAN_LITERAL("smtp_discard_ehlo_keyword_address_maps")},
};

/* What has no meaning in LMTP: there is no other greeting, a mail exchanger is not looked for, and
 * BDAT saves nothing on the way to the next process. */
static const struct span without_mirror[] = {
    SPAN_LITERAL("smtp_always_send_ehlo"),
    SPAN_LITERAL("smtp_never_send_ehlo"),
    SPAN_LITERAL("best_mx_transport"),
    SPAN_LITERAL("fallback_relay"), /* the old name of smtp_fallback_relay */
    SPAN_LITERAL("smtp_chunking"),
    SPAN_LITERAL("smtp_tls_dane_insecure_mx_policy"),
    SPAN_LITERAL("smtp_tls_mta_sts"),
    SPAN_LITERAL("smtp_tlsrpt_enable"),
};

/* 0: not among the client's settings. */
static size_t field_size(enum conf_type type)
{
    static const size_t sizes[] = {
        [CONF_TYPE_TEXT] = sizeof(struct span),  [CONF_TYPE_CHOICE] = sizeof(struct span),
        [CONF_TYPE_WORDS] = sizeof(struct span), [CONF_TYPE_BOOL] = sizeof(bool),
        [CONF_TYPE_NUMBER] = sizeof(uint32_t),   [CONF_TYPE_SIZE] = sizeof(uint64_t),
        [CONF_TYPE_TIME] = sizeof(int64_t),
    };
    return (size_t)type < ARRAY_LENGTH(sizes) ? sizes[type] : 0;
}

static bool is_mirror(struct span lmtp, struct span smtp)
{
    for (size_t i = 0; i < ARRAY_LENGTH(renamed); i++)
        if (span_equals(lmtp, renamed[i].lmtp) || span_equals(smtp, renamed[i].smtp))
            return span_equals(lmtp, renamed[i].lmtp) && span_equals(smtp, renamed[i].smtp);
    return span_equals(lmtp, smtp) ||
           (span_starts_with(lmtp, SPAN("lmtp_")) && span_starts_with(smtp, SPAN("smtp_")) &&
            span_equals(span_after(lmtp, 5), span_after(smtp, 5)));
}

static const struct conf_parameter *find_mirror(struct span smtp)
{
    for (size_t i = 0; i < conf_part_lmtp.parameter_count; i++)
        if (is_mirror(span_from_string(conf_part_lmtp.parameters[i].name), smtp))
            return &conf_part_lmtp.parameters[i];
    return NULL;
}

static bool has_mirror(struct span smtp)
{
    for (size_t i = 0; i < ARRAY_LENGTH(without_mirror); i++)
        if (span_equals(smtp, without_mirror[i]))
            return false;
    return true;
}

bool mirror_settings(const struct conf_lmtp *from, struct conf_smtp *settings)
{
    *settings = (struct conf_smtp){.smtp_always_send_ehlo = true,
                                   .best_mx_transport = span_empty(),
                                   .smtp_tls_dane_insecure_mx_policy = span_empty()};
    for (size_t i = 0; i < conf_part_smtp.parameter_count; i++) {
        const struct conf_parameter *to = &conf_part_smtp.parameters[i];
        const struct span name = span_from_string(to->name);
        const struct conf_parameter *mirror = find_mirror(name);
        if (!has_mirror(name))
            continue;
        if (!mirror || mirror->type != to->type || field_size(to->type) == 0)
            return false;
        memcpy((uint8_t *)settings + to->offset, (const uint8_t *)from + mirror->offset,
               field_size(to->type));
    }
    return true;
}
