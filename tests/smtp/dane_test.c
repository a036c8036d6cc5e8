/* tests/smtp/dane - TLSA records (RFC 7672): which of them count, and what comes of each. */

#include "certificates.h"
#include "conversation.h"

static struct world world;

#define PLAIN HELLO_PLAIN MAIL_OK RCPT_OK("a@d.test") DATA_OK
#define START                                                                                      \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 STARTTLS\nC STARTTLS\nS 220 2.0.0 "       \
    "Ready\n"
#define GOOD(word)                                                                                 \
    START "T " word "\nC EHLO client.test\nS 250-h0\nS 250 8BITMIME\n" MAIL_OK RCPT_OK("a@d.test") \
        DATA_OK
#define BAD(word) START "T " word "\nC QUIT\nS 221 bye\n"

/* What DNS has. */
enum { MX = 1, HOST = 2, TLSA = 4, LOST = 8, SECURE = MX | HOST | TLSA };

struct zone_row {
    unsigned facts;
    const char
        *records; /* "3 1 1", ", " between; a ! in front spoils the data, a ? cuts it short */
    const char *settings;
    struct row row;
};

static void put_record(const char *text, size_t index)
{
    unsigned usage, selector, matching_type;
    const bool is_spoilt = *text == '!', is_cut = *text == '?';
    uint8_t *bytes = world.tlsa[index];
    const char *numbers = text + (is_spoilt || is_cut);
    usage = (unsigned)(numbers[0] - '0');
    selector = (unsigned)(numbers[2] - '0');
    matching_type = (unsigned)(numbers[4] - '0');
    world.tlsa_length[index] =
        certificates_tlsa(usage, selector, matching_type, bytes, sizeof(world.tlsa[index]));
    if (is_spoilt)
        bytes[world.tlsa_length[index] - 1] ^= 1;
    if (is_cut)
        world.tlsa_length[index]--;
}

static void put_records(const char *records)
{
    size_t index = 0;
    memset(world.tlsa_length, 0, sizeof(world.tlsa_length));
    while (records && *records) {
        put_record(records, index++);
        records = strchr(records, ',');
        records = records ? records + 2 : NULL;
    }
}

#define ROW(name, script, result, line, fails)                                                     \
    {                                                                                              \
        name, "10 h0.test", NULL, {script}, {result}, {line}, fails, NULL                          \
    }
#define DELIVERED "+ 2.0.0 250 2.0.0 Ok"
#define NOT_VERIFIED "- 4.7.5 Server certificate not verified"
#define VERIFIED "Verified TLS connection established to h0.test[127.0.1.0]:"
#define UNTRUSTED "Untrusted TLS connection established to h0.test[127.0.1.0]:"

static const struct zone_row rows[] = {
    {SECURE, "3 1 1", "dane", ROW("key", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 0 1", "dane", ROW("certificate", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 1 2", "dane", ROW("long digest", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 0 0", "dane", ROW("no digest", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 1 0", "dane", ROW("the key itself", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    /* RFC 7672 section 3.1.1: neither names nor dates count. */
    {SECURE, "3 1 1", "dane", ROW("another name", GOOD("h1.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 1 1", "dane", ROW("too old", GOOD("expired"), DELIVERED, VERIFIED, false)},
    {SECURE, "3 1 1", "dane", ROW("self signed", GOOD("self"), DELIVERED, VERIFIED, false)},
    {SECURE, "!3 1 1", "dane",
     ROW("wrong key", BAD("h0.test"), NOT_VERIFIED, "certificate verification failed for h0.test",
         true)},
    {SECURE, "!3 1 1, 3 1 1", "dane",
     ROW("one of two", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    /* Section 3.1.2: here they do. */
    {SECURE, "2 0 1", "dane", ROW("authority", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "2 1 2", "dane", ROW("authority by key", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "2 0 1", "dane", ROW("by domain", GOOD("by-domain.test"), DELIVERED, VERIFIED, false)},
    {SECURE, "2 0 1", "dane",
     ROW("not that name", BAD("h1.test"), NOT_VERIFIED,
         "certificate verification failed for h0.test", true)},
    {SECURE, "2 0 1", "dane",
     ROW("old and vouched for", BAD("expired"), NOT_VERIFIED, "certificate has expired", true)},
    /* Section 3.1.3: usages 0 and 1 are no use; TLS all the same (section 2.2). */
    {SECURE, "1 1 1", "dane", ROW("unusable", GOOD("self"), DELIVERED, UNTRUSTED, false)},
    {SECURE, "0 0 1", "dane",
     ROW("unusable and no TLS", HELLO_PLAIN "C QUIT\nS 221 bye\n",
         "- 4.7.4 TLS is required, but was not offered", NULL, true)},
    {SECURE, "?3 1 1", "dane", ROW("cut short", GOOD("self"), DELIVERED, UNTRUSTED, false)},
    {SECURE, "?3 1 0", "dane", ROW("no key", GOOD("self"), DELIVERED, UNTRUSTED, false)},
    {SECURE, "1 1 1, 3 1 1", "dane",
     ROW("one is usable", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    /* RFC 7671 section 9: the strongest digest counts alone. */
    {SECURE, "3 1 1, !3 1 2", "dane", ROW("agility", BAD("h0.test"), NOT_VERIFIED, NULL, true)},
    /* Nobody vouches: as if there were none. */
    {MX | HOST, "!3 1 1", "dane", ROW("insecure records", PLAIN, DELIVERED, NULL, false)},
    {MX | TLSA, "!3 1 1", "dane", ROW("insecure host", PLAIN, DELIVERED, NULL, false)},
    {SECURE, NULL, "dane", ROW("no records", PLAIN, DELIVERED, NULL, false)},
    {SECURE | LOST, "3 1 1", "dane",
     ROW("tlsa lost", NULL, "- 4.7.5 TLSA lookup error for h0.test:",
         "warning: TLS policy lookup for tlsa-lost.test/h0.test: TLSA "
         "lookup error",
         true)},
    /* Insecure MX records. */
    {HOST | TLSA, "3 1 1", "dane",
     ROW("half", GOOD("h0.test"), DELIVERED, "Trusted TLS connection established to h0.test",
         false)},
    {HOST | TLSA, "!3 1 1", "dane",
     ROW("half and wrong", BAD("h0.test"), NOT_VERIFIED, NULL, true)},
    {HOST | TLSA, "!3 1 1", "dane\nsmtp_tls_dane_insecure_mx_policy = may",
     ROW("insecure may", PLAIN, DELIVERED, NULL, false)},
    {HOST | TLSA, "!3 1 1", "dane\nsmtp_tls_dane_insecure_mx_policy = encrypt",
     ROW("insecure encrypt", GOOD("self"), DELIVERED, UNTRUSTED, false)},
    /* dane-only */
    {SECURE, "3 1 1", "dane-only", ROW("only", GOOD("h0.test"), DELIVERED, VERIFIED, false)},
    {SECURE, NULL, "dane-only",
     ROW("only and none", NULL, "- 4.7.5 no TLSA records found", NULL, true)},
    {SECURE, "1 1 1", "dane-only",
     ROW("only and unusable", NULL, "- 4.7.5 TLSA records unusable", NULL, true)},
    {HOST | TLSA, "3 1 1", "dane-only",
     ROW("only and insecure", NULL, "- 4.7.5 non DNSSEC destination", NULL, true)},
    {SECURE, "!3 1 1", "may", ROW("not asked for", PLAIN, DELIVERED, NULL, false)},
};

static void run(const struct zone_row *row, const char *support)
{
    char settings[600];
    (void)snprintf(settings, sizeof(settings),
                   "smtp_tls_loglevel = 1\nsmtp_connection_cache_on_demand = no\n"
                   "smtp_dns_support_level = %s\nsmtp_tls_security_level = %s\n",
                   support, row->settings);
    assert_true(world_start(&world, settings));
    world.is_mx_secure = row->facts & MX;
    world.is_host_secure = row->facts & HOST;
    world.is_tlsa_secure = row->facts & TLSA;
    world.is_tlsa_lost = row->facts & LOST;
    put_records(row->records);
    conversation_run(&world, &row->row, 1);
    if (span_starts_with(span_from_string(row->settings), SPAN("dane")) && row->row.log[0] &&
        strcmp(row->row.log[0], VERIFIED) == 0) /* RFC 7672 section 8.1 */
        assert_string_equal(certificates_asked_name(), "h0.test");
    world_stop(&world);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        run(&rows[i], "dnssec");
}

static void test_without_dnssec(void **state)
{
    (void)state;
    static const struct zone_row without = {
        SECURE, "!3 1 1", "dane",
        ROW("disabled", PLAIN, DELIVERED, "dane configured with dnssec lookups disabled", false)};
    run(&without, "enabled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_without_dnssec),
    };
    return cmocka_run_group_tests(tests, certificates_set_up, certificates_tear_down);
}
