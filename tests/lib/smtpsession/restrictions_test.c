/* tests/lib/smtpsession/restrictions - lists of restrictions: which words let whom pass. */
#include "harness.h"

enum { DIALOGUE_MAX = 12 };

/* Lines that a client says, and how each answer begins. */
struct row {
    const char *name;
    const char *settings;
    const char *address;
    const char *dialogue[DIALOGUE_MAX][2];
    const char *logged; /* NULL: nothing in particular */
};

static void talk(struct harness *harness, void *argument)
{
    const struct row *row = argument;
    struct harness_client client;
    harness_connect(harness, &client, row->address);
    for (size_t i = 0; i < DIALOGUE_MAX && row->dialogue[i][1]; i++) {
        if (row->dialogue[i][0]) {
            harness_send(&client, span_from_string(row->dialogue[i][0]));
            harness_send(&client, SPAN("\r\n"));
        }
        harness_expect(&client, row->name, row->dialogue[i][1]);
    }
    harness_quit(&client);
    harness_wait_for_end(harness);
    if (row->logged)
        harness_expect_log(harness, row->logged);
}

#define HELLO                                                                                      \
    {NULL, "220 "},                                                                                \
    {                                                                                              \
        "EHLO client.example", "250-"                                                              \
    }
#define FROM                                                                                       \
    {                                                                                              \
        "MAIL FROM:<a@client.example>", "250 2.1.0"                                                \
    }
#define TO_US "RCPT TO:<you@here.test>"
#define TO_THEM "RCPT TO:<friend@there.test>"
#define STRANGER "192.0.2.1"
#define OURS "127.0.0.1"

static const struct row rows[] = {
    {"the default is no relay",
     "smtpd_relay_restrictions = $relay\nrelay = permit_mynetworks, "
     "permit_sasl_authenticated, defer_unauth_destination\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_THEM, "454 4.7.1 <friend@there.test>: Relay access denied"},
      {TO_US, "250 2.1.5"}},
     "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 454 4.7.1 <friend@there.test>: Relay access "
     "denied; from=<a@client.example> to=<friend@there.test> proto=ESMTP helo=<client.example>"},
    {"our networks relay", "", OURS, {HELLO, FROM, {TO_THEM, "250 2.1.5"}}, NULL},
    {"a permission ends its own list only",
     "smtpd_client_restrictions = permit\nsmtpd_recipient_restrictions = reject\n",
     OURS,
     {HELLO, FROM, {TO_US, "554 5.7.1 <you@here.test>: Recipient address rejected: Access denied"}},
     NULL},
    {"reject stands for the client at RCPT",
     "smtpd_client_restrictions = reject\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied"}},
     NULL},
    {"or at once",
     "smtpd_client_restrictions = reject\nsmtpd_delay_reject = no\n",
     STRANGER,
     {{NULL, "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied"},
      {"EHLO client.example", "503 5.7.0 Error: access denied for unknown[192.0.2.1]"}},
     "NOQUEUE: reject: CONNECT from unknown[192.0.2.1]: 554 5.7.1"},
    {"HELO at once",
     "smtpd_helo_restrictions = reject_invalid_helo_hostname\n"
     "smtpd_delay_reject = no\n",
     STRANGER,
     {{NULL, "220 "},
      {"HELO -.-", "501 5.5.2 <-.->: Helo command rejected: Invalid name"},
      {"HELO client.example", "250 "}},
     "NOQUEUE: reject: HELO from unknown[192.0.2.1]: 501 5.5.2"},
    {"a sender at once",
     "smtpd_sender_restrictions = reject_non_fqdn_sender\n"
     "smtpd_delay_reject = no\n",
     STRANGER,
     {HELLO,
      {"MAIL FROM:<a@client>", "504 5.5.2 <a@client>: Sender address rejected: need "
                               "fully-qualified address"},
      FROM},
     "NOQUEUE: reject: MAIL from unknown[192.0.2.1]: 504 5.5.2 <a@client>: Sender address "
     "rejected: need fully-qualified address; from=<a@client>"},
    {"names and addresses that are not qualified",
     "smtpd_helo_restrictions = warn_if_reject reject_non_fqdn_helo_hostname\n"
     "smtpd_recipient_restrictions = reject_non_fqdn_recipient\n",
     OURS,
     {{NULL, "220 "},
      {"HELO client", "250 "},
      FROM,
      {"RCPT TO:<you@here>", "504 5.5.2 <you@here>: Recipient address rejected: need "
                             "fully-qualified address"}},
     "NOQUEUE: reject_warning: RCPT from unknown[127.0.0.1]: 504 5.5.2 <client>: Helo command "
     "rejected: need fully-qualified hostname; from=<a@client.example> to=<you@here> proto=SMTP"},
    {"a warning lets pass",
     "smtpd_sender_restrictions = warn_if_reject reject\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "250 2.1.5"}},
     "NOQUEUE: reject_warning: RCPT from unknown[192.0.2.1]: 554 5.7.1 <a@client.example>: Sender "
     "address rejected: Access denied"},
    {"defer",
     "smtpd_recipient_restrictions = defer\ndefer_code = 451\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "451 4.3.2 <you@here.test>: Recipient address rejected: Try again later"}},
     NULL},
    {"defer_if_permit",
     "smtpd_sender_restrictions = defer_if_permit\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "450 4.7.0 <a@client.example>: Sender address rejected: defer_if_permit requested"},
      {TO_THEM, "554 5.7.1"}},
     NULL},
    {"defer_if_reject",
     "smtpd_sender_restrictions = defer_if_reject\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {TO_THEM,
       "450 4.7.0 <a@client.example>: Sender address rejected: defer_if_reject requested"}},
     NULL},
    {"the only recipient is known at DATA",
     "smtpd_data_restrictions = check_recipient_access inline:{you@here.test=REJECT}\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"DATA", "554 5.7.1 <you@here.test>: Recipient address rejected: Access denied"}},
     ": reject: DATA from unknown[192.0.2.1]: 554 5.7.1 <you@here.test>: Recipient address "
     "rejected: Access denied; from=<a@client.example> to=<you@here.test> proto=ESMTP"},
    {"and when the message has come",
     "smtpd_end_of_data_restrictions = reject_unauth_destination, check_recipient_access "
     "inline:{you@here.test=REJECT}\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"DATA", "354 "},
      {"Subject: hello\r\n\r\nhello\r\n.", "554 5.7.1 <you@here.test>: Recipient address"}},
     ": reject: END-OF-MESSAGE from unknown[192.0.2.1]: 554 5.7.1 <you@here.test>: Recipient "
     "address rejected: Access denied; from=<a@client.example> to=<you@here.test> proto=ESMTP"},
    {"of two, none is",
     "smtpd_data_restrictions = check_recipient_access inline:{you@here.test=REJECT}\n",
     OURS,
     {HELLO, FROM, {TO_US, "250 2.1.5"}, {TO_THEM, "250 2.1.5"}, {"DATA", "354 "}, {".", "250 "}},
     NULL},
    {"everybody may write to the postmaster",
     "smtpd_recipient_restrictions = reject\n",
     STRANGER,
     {HELLO,
      FROM,
      {"RCPT TO:<PostMaster>", "250 2.1.5"},
      {"RCPT TO:<postmaster@here.test>", "554 5.7.1"}},
     NULL},
    {"a name that was not given is not judged",
     "smtpd_helo_restrictions = reject\n",
     STRANGER,
     {{NULL, "220 "}, FROM, {TO_US, "250 2.1.5"}},
     NULL},
    {"nor is a sender, at VRFY",
     "smtpd_sender_restrictions = reject\n",
     STRANGER,
     {HELLO, {"VRFY you@here.test", "252 "}},
     NULL},
    {"an address is no name",
     "smtpd_helo_restrictions = reject_non_fqdn_helo_hostname\n",
     STRANGER,
     {{NULL, "220 "},
      {"HELO 192.0.2.1", "250 "},
      FROM,
      {TO_US, "504 5.5.2 <192.0.2.1>: Helo command rejected: need fully-qualified hostname"},
      {"HELO [192.0.2.1]", "250 "},
      FROM,
      {TO_US, "250 2.1.5"}},
     NULL},
    {"digits alone let pass",
     "smtpd_recipient_restrictions = check_client_access static:554, reject\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "250 2.1.5"}},
     NULL},
    {"digits with a text that are no refusal mean nothing",
     "smtpd_recipient_restrictions = check_client_access static:{250 Ok}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "451 4.3.5 Server configuration error"}},
     NULL},
    {"who comes by XCLIENT is judged at once, too",
     "smtpd_client_restrictions = check_client_access inline:{198.51.100.1=REJECT}\n"
     "smtpd_authorized_xclient_hosts = 192.0.2.1\nsmtpd_delay_reject = no\n",
     STRANGER,
     {HELLO,
      {"XCLIENT NAME=[UNAVAILABLE] ADDR=198.51.100.1",
       "554 5.7.1 <unknown[198.51.100.1]>: Client host rejected: Access denied"},
      {"EHLO client.example", "503 5.7.0 Error: access denied for unknown[198.51.100.1]"}},
     "NOQUEUE: reject: CONNECT from unknown[198.51.100.1]: 554 5.7.1"},
    {"a status fits what it is about",
     "smtpd_client_restrictions = warn_if_reject check_client_access static:{550 5.1.1 no}\n"
     "smtpd_sender_restrictions = warn_if_reject check_sender_access static:{550 5.1.1 no}\n"
     "smtpd_recipient_restrictions = warn_if_reject check_recipient_access "
     "static:{550 5.1.1 no}, check_recipient_access static:{550 5.1.8 no}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "550 5.1.2 <you@here.test>: Recipient address rejected: no"}},
     "550 5.0.0 <unknown[192.0.2.1]>: Client host rejected: no"},
    {"a refusal at EHLO is one before it",
     "smtpd_helo_restrictions = reject\nsmtpd_delay_reject = no\n",
     STRANGER,
     {{NULL, "220 "}, {"EHLO client.example", "554 5.7.1 <client.example>: Helo command"}},
     "NOQUEUE: reject: EHLO from unknown[192.0.2.1]: 554 5.7.1 <client.example>: Helo command "
     "rejected: Access denied; proto=SMTP helo=<client.example>"},
    {"a size that is too large is logged with its sender",
     "message_size_limit = 1000\n",
     STRANGER,
     {HELLO, {"MAIL FROM:<a@client.example> SIZE=1001", "552 5.3.4"}},
     "552 5.3.4 Message size exceeds fixed limit; from=<a@client.example> proto=ESMTP"},
    {"recipients before relaying",
     "smtpd_relay_before_recipient_restrictions = no\nsmtpd_recipient_restrictions = reject\n",
     STRANGER,
     {HELLO, FROM, {TO_THEM, "554 5.7.1 <friend@there.test>: Recipient address"}},
     NULL},
    {"permit_auth_destination",
     "smtpd_recipient_restrictions = permit_auth_destination, reject\n",
     OURS,
     {HELLO, FROM, {TO_US, "250 2.1.5"}, {TO_THEM, "554 5.7.1"}},
     NULL},
    {"permit_inet_interfaces",
     "smtpd_recipient_restrictions = permit_inet_interfaces, reject\n"
     "smtpd_interface_clients = 192.0.2.1\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "250 2.1.5"}},
     NULL},
    {"an unknown recipient in its place",
     "smtpd_reject_unlisted_recipient = no\n"
     "smtpd_recipient_restrictions = permit_mynetworks, reject_unlisted_recipient\n",
     STRANGER,
     {HELLO, FROM, {"RCPT TO:<nobody@here.test>", "550 5.1.1 <nobody@here.test>: Recipient"}},
     NULL},
    {"an unknown sender",
     "smtpd_sender_restrictions = reject_unlisted_sender\n",
     STRANGER,
     {HELLO,
      {"MAIL FROM:<nobody@here.test>", "250 2.1.0"},
      {TO_US, "550 5.1.0 <nobody@here.test>: Sender address rejected: User unknown"}},
     NULL},
    {"a session without TLS",
     "smtpd_recipient_restrictions = reject_plaintext_session\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "450 4.7.1 Session encryption is "
              "required"}},
     NULL},
    {"DATA",
     "smtpd_data_restrictions = reject\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"DATA", "554 5.7.1 <DATA>: Data command rejected: Access denied"}},
     "reject: DATA from unknown[192.0.2.1]: 554 5.7.1 <DATA>: Data command rejected: Access "
     "denied; "
     "from=<a@client.example> to=<you@here.test> proto=ESMTP"},
    {"BDAT",
     "smtpd_data_restrictions = reject\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"BDAT 2\r\n", "554 5.7.1 <DATA>: Data command rejected: Access denied"}},
     NULL},
    {"the end of data",
     "smtpd_end_of_data_restrictions = reject\n",
     STRANGER,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"DATA", "354 "},
      {"A: b\r\n\r\nc\r\n.", "554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Access denied"}},
     NULL},
    {"ETRN",
     "smtpd_etrn_restrictions = permit_mynetworks, reject\n",
     STRANGER,
     {HELLO, {"ETRN here.test", "554 5.7.1 <ETRN>: Etrn command rejected: Access denied"}},
     NULL},
    /* ---- who sends as whom ---- */
    {"an owned sender without a login",
     "smtpd_sender_login_maps = inline:{bob@here.test=bob}\n"
     "smtpd_sender_restrictions = reject_sender_login_mismatch\n",
     STRANGER,
     {HELLO,
      {"MAIL FROM:<bob+x@here.test>", "250 2.1.0"},
      {TO_US, "250 2.1.5"},
      {"RSET", "250"},
      {"MAIL FROM:<Bob@HERE.test>", "250 2.1.0"},
      {TO_US, "553 5.7.1 <Bob@HERE.test>: Sender address rejected: not logged in"}},
     NULL},
    {"only those with a login are asked",
     "smtpd_sender_login_maps = inline:{bob@here.test=bob}\n"
     "smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch\n",
     STRANGER,
     {HELLO, {"MAIL FROM:<bob@here.test>", "250 2.1.0"}, {TO_US, "250 2.1.5"}},
     NULL},
    {"a login that XCLIENT gave",
     "smtpd_authorized_xclient_hosts = 127.0.0.1\nrecipient_delimiter = +\n"
     "smtpd_sender_login_maps = inline:{{bob@here.test = alice, Bob}}\n"
     "smtpd_sender_restrictions = reject_sender_login_mismatch\n",
     OURS,
     {HELLO,
      {"XCLIENT LOGIN=bob", "220 "},
      {"EHLO client.example", "250-"},
      {"MAIL FROM:<bob+x@here.test>", "250 2.1.0"},
      {TO_THEM, "250 2.1.5"},
      {"RSET", "250"},
      {"MAIL FROM:<eve@here.test>", "250 2.1.0"},
      {TO_THEM, "553 5.7.1 <eve@here.test>: Sender address rejected: not owned by user bob"}},
     NULL},
    {"a sender that nobody owns",
     "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
     "smtpd_sender_login_maps = inline:{bob@here.test=alice}\n"
     "smtpd_sender_restrictions = reject_known_sender_login_mismatch\n",
     OURS,
     {HELLO,
      {"XCLIENT LOGIN=bob", "220 "},
      {"EHLO client.example", "250-"},
      FROM,
      {TO_US, "250 2.1.5"},
      {"RSET", "250"},
      {"MAIL FROM:<bob@here.test>", "250 2.1.0"},
      {TO_US, "553 5.7.1 <bob@here.test>: Sender address rejected: not owned by user bob"}},
     NULL},
    {"a login may relay",
     "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_relay_restrictions = "
     "permit_sasl_authenticated, reject\n",
     OURS,
     {HELLO,
      FROM,
      {TO_US, "554 5.7.1"},
      {"RSET", "250"},
      {"XCLIENT LOGIN=bob", "220 "},
      {"EHLO client.example", "250-"},
      FROM,
      {TO_THEM, "250 2.1.5"}},
     NULL},
    {"a login ends where another client begins",
     "smtpd_authorized_xclient_hosts = 127.0.0.1\nsmtpd_relay_restrictions = "
     "permit_sasl_authenticated, reject\n",
     OURS,
     {HELLO,
      {"XCLIENT LOGIN=bob", "220 "},
      {"EHLO client.example", "250-"},
      FROM,
      {TO_THEM, "250 2.1.5"},
      {"RSET", "250"},
      {"XCLIENT ADDR=127.0.0.1", "220 "},
      {"EHLO client.example", "250-"},
      FROM,
      {TO_THEM, "554 5.7.1"}},
     NULL},
    /* ---- tables ---- */
    {"a table of clients",
     "smtpd_client_restrictions = inline:{{192.0.2 = REJECT go away}}, reject\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: go away"}},
     NULL},
    {"a pattern sees whole addresses only",
     "smtpd_client_restrictions = check_client_access pcre:{{/^192\\.0\\.2$$/ REJECT}}, "
     "check_client_access pcre:{{/^192\\.0\\.2\\.1$$/ 450 4.2.1 later}}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "450 4.2.1 <unknown[192.0.2.1]>: Client host rejected: later"}},
     NULL},
    {"networks",
     "smtpd_client_restrictions = check_client_access cidr:{{192.0.2.0/24 OK}}, reject\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "250 2.1.5"}},
     NULL},
    {"HELO and what it is below",
     "smtpd_helo_restrictions = check_helo_access inline:{{example = 550 5.7.7 no}}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "550 5.7.7 <client.example>: Helo command rejected: no"}},
     NULL},
    {"parents may be written with a dot",
     "parent_domain_matches_subdomains =\n"
     "smtpd_helo_restrictions = check_helo_access inline:{{example = REJECT}}\n"
     "smtpd_sender_restrictions = check_sender_access inline:{{.example = DEFER}}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "450 4.7.1 <a@client.example>: Sender address rejected: Access denied"}},
     NULL},
    {"senders and recipients",
     "smtpd_sender_restrictions = check_sender_access inline:{{a@ = DUNNO}, {<> = REJECT}}, "
     "permit\n"
     "smtpd_recipient_restrictions = check_recipient_access "
     "inline:{{you@here.test = reject_plaintext_session, permit}, {here.test = OK}}\n",
     STRANGER,
     {HELLO,
      FROM,
      {"RCPT TO:<friend@here.test>", "250 2.1.5"},
      {TO_US, "450 4.7.1 Session encryption"},
      {"RSET", "250"},
      {"MAIL FROM:<>", "250"},
      {"RCPT TO:<friend@here.test>", "554 5.7.1 <>: Sender address rejected: Access denied"}},
     NULL},
    {"DEFER_IF_PERMIT with a text",
     "smtpd_sender_restrictions = check_sender_access static:{DEFER_IF_PERMIT 4.2.0 not now}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "450 4.2.0 <a@client.example>: Sender address rejected: not now"}},
     NULL},
    {"logged only",
     "smtpd_sender_restrictions = check_sender_access static:{WARN look here}\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "250 2.1.5"}},
     "NOQUEUE: warn: RCPT from unknown[192.0.2.1]: look here; from=<a@client.example>"},
    {"an action that there is not",
     "smtpd_sender_restrictions = check_sender_access static:HANDLE\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "451 4.3.5 Server configuration error"}},
     "static:HANDLE: \"HANDLE\" is no restriction"},
    {"a table that fails",
     "smtpd_sender_restrictions = check_sender_access fail:x, permit\n",
     STRANGER,
     {HELLO, FROM, {TO_US, "451 4.3.0 <a@client.example>: Temporary lookup failure"}},
     "fail:x: "},
    {"a login's table",
     "smtpd_authorized_xclient_hosts = 127.0.0.1\n"
     "smtpd_sender_restrictions = check_sasl_access inline:{{bob = REJECT closed}}\n",
     OURS,
     {HELLO,
      FROM,
      {TO_US, "250 2.1.5"},
      {"RSET", "250"},
      {"XCLIENT LOGIN=bob", "220 "},
      {"EHLO client.example", "250-"},
      FROM,
      {TO_US, "554 5.7.1 <bob>: SASL login name rejected: closed"}},
     NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct row row = rows[i];
        harness_run(row.settings, talk, &row);
    }
}

/* The settings that would make an open relay begin nothing. */
static void test_open_relays(void **state)
{
    (void)state;
    static const struct {
        const char *relay;
        const char *recipient;
        bool is_taken;
    } cases[] = {
        {"permit_mynetworks", "", false},
        {"", "", false},
        {"permit_mynetworks, warn_if_reject reject", "", false},
        {"", "check_recipient_access static:REJECT", false},
        {"", "permit_mynetworks, reject_unauth_destination", true},
        {"defer_unauth_destination", "", true},
        {"permit_sasl_authenticated, reject", "", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct arena arena;
        struct restriction_list relay, recipient;
        struct conf_error error;
        arena_init(&arena, 65536, 0);
        assert_true(
            restriction_list_parse(span_from_string(cases[i].relay), &arena, &relay, &error));
        assert_true(restriction_list_parse(span_from_string(cases[i].recipient), &arena, &recipient,
                                           &error));
        assert_int_equal(restriction_list_is_closed(&relay) ||
                             restriction_list_is_closed(&recipient),
                         cases[i].is_taken);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_open_relays),
    };
    return cmocka_run_group_tests_name("smtpsession/restrictions", tests, NULL, NULL);
}
