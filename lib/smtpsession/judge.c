/* smtpsession/judge - see judge.h. */
#include "smtpsession/judge.h"

#include "address/mailbox.h"
#include "base/ascii.h"

enum { OWNERS_MAX_BYTES = 16384 };

/* ---- what is said ---- */

struct judge_subject judge_sender(const struct judge *judge)
{
    return (struct judge_subject){judge->session->transaction.reverse_path.text, "Sender address"};
}

struct judge_subject judge_recipient(const struct judge *judge)
{
    return (struct judge_subject){judge->recipient ? judge->recipient->text : span_empty(),
                                  "Recipient address"};
}

static struct judge_subject client_subject(const struct judge *judge)
{
    const struct log_peer *peer = &judge->session->peer;
    const struct span shown = arena_format(&judge->session->transaction_arena, "%.*s[%.*s]",
                                           SPAN_PRINTF(peer->name), SPAN_PRINTF(peer->address));
    return (struct judge_subject){shown.bytes ? shown : peer->address, "Client host"};
}

struct judge_subject judge_subject_of_list(const struct judge *judge)
{
    switch (judge->list) {
    case SMTPSESSION_LIST_CLIENT:
    case SMTPSESSION_LIST_COUNT:
        break;
    case SMTPSESSION_LIST_HELO:
        return (struct judge_subject){judge->session->helo, "Helo command"};
    case SMTPSESSION_LIST_SENDER:
        return judge_sender(judge);
    case SMTPSESSION_LIST_RELAY:
    case SMTPSESSION_LIST_RECIPIENT:
        return judge_recipient(judge);
    case SMTPSESSION_LIST_DATA:
        return (struct judge_subject){SPAN("DATA"), "Data command"};
    case SMTPSESSION_LIST_END_OF_DATA:
        return (struct judge_subject){SPAN("END-OF-MESSAGE"), "End-of-data"};
    case SMTPSESSION_LIST_ETRN:
        return (struct judge_subject){SPAN("ETRN"), "Etrn command"};
    }
    return client_subject(judge);
}

void judge_log(struct judge *judge, const char *action, struct span text)
{
    session_log_refusal(judge->session, action, judge->stage, text, judge->recipient);
}

enum judge_ruling judge_refuse_as(struct judge *judge, struct outcome refusal)
{
    if (!refusal.reason.bytes)
        refusal = outcome_temporary(452, 3, 1, "Insufficient system resources");
    if (judge->only_warns) {
        const struct span text = arena_format(
            &judge->session->transaction_arena, "%u %u.%u.%u %.*s", (unsigned)refusal.reply_code,
            (unsigned)refusal.status.class, (unsigned)refusal.status.subject,
            (unsigned)refusal.status.detail, SPAN_PRINTF(refusal.reason));
        if (text.bytes)
            judge_log(judge, "reject_warning", text);
        return JUDGE_GOES_ON;
    }
    if (refusal.kind == OUTCOME_PERMANENT && !outcome_is_ok(&judge->if_refused))
        refusal = judge->if_refused;
    judge->refusal = refusal;
    return JUDGE_REFUSES;
}

static struct outcome make_refusal(struct judge *judge, uint16_t code, uint16_t subject,
                                   uint16_t detail, const struct judge_subject *about,
                                   struct span text)
{
    const struct span reason =
        arena_format(&judge->session->transaction_arena, "<%.*s>: %s rejected: %.*s",
                     SPAN_PRINTF(about->name), about->class, SPAN_PRINTF(text));
    return outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code, subject, detail,
                        reason);
}

enum judge_ruling judge_refuse(struct judge *judge, uint16_t code, uint16_t subject,
                               uint16_t detail, const struct judge_subject *about, struct span text)
{
    return judge_refuse_as(judge, make_refusal(judge, code, subject, detail, about, text));
}

enum judge_ruling judge_fail(struct judge *judge, struct span name)
{
    const struct span reason = arena_format(&judge->session->transaction_arena,
                                            "<%.*s>: Temporary lookup failure", SPAN_PRINTF(name));
    judge->only_warns = false;
    return judge_refuse_as(judge, outcome_make(OUTCOME_TEMPORARY, 451, 3, 0, reason));
}

/* ---- words about names ---- */

static bool is_literal(struct span domain)
{
    struct ip_address address;
    return domain.length > 0 && domain.bytes[0] == '[' && address_literal_parse(domain, &address);
}

/* 192.0.2.1 is no name: RFC 1123 section 2.1. */
static bool is_all_numeric(struct span domain)
{
    for (size_t i = 0; i < domain.length; i++)
        if (!ascii_is_digit(domain.bytes[i]) && domain.bytes[i] != '.')
            return false;
    return true;
}

bool judge_is_qualified(struct span domain)
{
    if (is_literal(domain))
        return true;
    return address_domain_check(domain, ADDRESS_ALLOW_UTF8) == PARSE_OK &&
           span_find_byte(domain, '.') < domain.length && !is_all_numeric(domain);
}

static enum judge_ruling check_helo_name(struct judge *judge, bool must_be_qualified)
{
    const struct smtpsession_restrictions *rules = &judge->session->service->settings.restrictions;
    const struct span helo = judge->session->helo;
    const struct judge_subject about = {helo, "Helo command"};
    if (span_is_empty(helo))
        return JUDGE_GOES_ON;
    if (must_be_qualified)
        return judge_is_qualified(helo) ? JUDGE_GOES_ON
                                        : judge_refuse(judge, rules->non_fqdn_code, 5, 2, &about,
                                                       SPAN("need fully-qualified hostname"));
    return is_literal(helo) || address_domain_check(helo, ADDRESS_ALLOW_UTF8) == PARSE_OK
               ? JUDGE_GOES_ON
               : judge_refuse(judge, rules->invalid_hostname_code, 5, 2, &about,
                              helo.bytes[0] == '[' ? SPAN("invalid ip address")
                                                   : SPAN("Invalid name"));
}

static enum judge_ruling
check_qualified_address(struct judge *judge, const struct judge_subject *about, struct span domain)
{
    const struct smtpsession_restrictions *rules = &judge->session->service->settings.restrictions;
    if (span_is_empty(about->name) || judge_is_qualified(domain))
        return JUDGE_GOES_ON;
    return judge_refuse(judge, rules->non_fqdn_code, 5, 2, about,
                        SPAN("need fully-qualified address"));
}

/* ---- words about where mail goes ---- */

static enum judge_ruling check_destination(struct judge *judge, uint16_t code)
{
    if (!judge->recipient || judge->verdict->is_ours)
        return JUDGE_GOES_ON;
    const struct span reason =
        arena_format(&judge->session->transaction_arena, "<%.*s>: Relay access denied",
                     SPAN_PRINTF(judge->recipient->text));
    return judge_refuse_as(judge, outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT,
                                               code, 7, 1, reason));
}

static enum judge_ruling check_listed(struct judge *judge, const struct outcome *listed,
                                      struct judge_subject about)
{
    if (outcome_is_ok(listed))
        return JUDGE_GOES_ON;
    struct outcome refusal = *listed;
    refusal.reason = arena_format(&judge->session->transaction_arena, "<%.*s>: %.*s",
                                  SPAN_PRINTF(about.name), SPAN_PRINTF(listed->reason));
    return judge_refuse_as(judge, refusal);
}

/* A sender is one of ours that does not exist where mail to it would be refused. */
static enum judge_ruling check_listed_sender(struct judge *judge)
{
    static const struct span recipient_words = SPAN_LITERAL("Recipient address");
    struct smtpsession *session = judge->session;
    const struct smtpsession_backend *backend = &session->service->backend;
    const struct mailbox *sender = &session->transaction.reverse_path;
    struct smtpsession_verdict verdict;
    if (mailbox_is_null(sender))
        return JUDGE_GOES_ON;
    backend->check_recipient(backend->context, NULL, span_empty(), sender, false,
                             &session->transaction_arena, &verdict);
    struct outcome listed = verdict.listed;
    if (listed.status.subject == 1 && listed.status.detail == 1) /* RFC 3463: of recipients alone */
        listed.status.detail = 0;
    if (span_starts_with(listed.reason, recipient_words))
        listed.reason =
            arena_format(&session->transaction_arena, "Sender address%.*s",
                         SPAN_PRINTF(span_after(listed.reason, recipient_words.length)));
    return check_listed(judge, &listed, judge_sender(judge));
}

static enum judge_ruling check_verified(struct judge *judge, bool is_recipient)
{
    const struct smtpsession_settings *settings = &judge->session->service->settings;
    struct outcome refusal;
    /* That one exists that stands for others is known here; who sends to the null address, too. */
    const struct span address =
        !is_recipient ? judge_sender(judge).name
        : judge->recipient && span_is_empty(judge->verdict->expansion.records)
            ? judge->recipient->text
            : span_empty();
    const struct smtpsession_unverified *rules =
        is_recipient ? &settings->unverified_recipient : &settings->unverified_sender;
    bool is_undecided = false;
    /* RFC 3463: X.1.1, X.1.7. */
    if (span_is_empty(address) ||
        session_is_verified(judge->session, address, rules, is_recipient ? "Recipient" : "Sender",
                            is_recipient ? 1 : 7, &refusal, &is_undecided))
        return JUDGE_GOES_ON;
    if (!is_undecided || rules->defers_at_once || judge->only_warns)
        return judge_refuse_as(judge, refusal);
    if (outcome_is_ok(&judge->if_permitted)) /* the first that asks */
        judge->if_permitted = refusal;
    return JUDGE_GOES_ON;
}

/* ---- words about who sends ---- */

enum login_rule {
    LOGIN_WHEN_AUTHENTICATED = 1 << 0,
    LOGIN_WHEN_NOT = 1 << 1,
    LOGIN_ONLY_KNOWN = 1 << 2 /* a sender that nobody owns is anybody's */
};

static enum judge_ruling check_owner(struct judge *judge, const struct mailbox *sender,
                                     unsigned rules)
{
    const struct smtpsession *session = judge->session;
    const bool is_authenticated = session->sasl.method.length > 0;
    const struct judge_subject about = {sender->text, "Sender address"};
    struct buffer owners;
    bool has_failed = false;
    enum judge_ruling ruling = JUDGE_GOES_ON;
    if (table_reference_is_empty(&session->service->settings.restrictions.login_maps) ||
        span_is_empty(about.name) ||
        !(rules & (is_authenticated ? LOGIN_WHEN_AUTHENTICATED : LOGIN_WHEN_NOT)))
        return JUDGE_GOES_ON;
    buffer_init(&owners, NULL, OWNERS_MAX_BYTES);
    const bool is_known = judge_find_owners(judge, sender, &owners, &has_failed);
    if (has_failed) {
        ruling = judge_fail(judge, about.name);
    } else if (!is_authenticated) {
        if (is_known)
            ruling = judge_refuse(judge, 553, 7, 1, &about, SPAN("not logged in"));
    } else if (is_known ? !span_list_has(buffer_span(&owners), session->sasl.username)
                        : !(rules & LOGIN_ONLY_KNOWN)) {
        const struct span text =
            arena_format(&judge->session->transaction_arena, "not owned by user %.*s",
                         SPAN_PRINTF(session->sasl.username));
        ruling = judge_refuse(judge, 553, 7, 1, &about, text.bytes ? text : SPAN("not owned"));
    }
    buffer_release(&owners);
    return ruling;
}

static enum judge_ruling check_login(struct judge *judge, unsigned rules)
{
    return check_owner(judge, &judge->session->transaction.reverse_path, rules);
}

bool judge_login(struct smtpsession *session, const char *stage, const struct mailbox *address,
                 struct outcome *refusal)
{
    struct judge judge = {.session = session,
                          .stage = stage,
                          .list = SMTPSESSION_LIST_SENDER,
                          .if_permitted = outcome_ok(),
                          .if_refused = outcome_ok()};
    if (check_owner(&judge, address, LOGIN_WHEN_AUTHENTICATED) != JUDGE_REFUSES)
        return true;
    *refusal = judge.refusal;
    return false;
}

static enum judge_ruling permit_if(bool is_permitted)
{
    return is_permitted ? JUDGE_PERMITS : JUDGE_GOES_ON;
}

static enum judge_ruling put_off(struct judge *judge, struct outcome *when, const char *text)
{
    const struct judge_subject about = judge_subject_of_list(judge);
    if (outcome_is_ok(when)) /* the first that asks */
        *when = make_refusal(judge, 450, 7, 0, &about, span_from_string(text));
    return JUDGE_GOES_ON;
}

static enum judge_ruling run_word(struct judge *judge, const struct restriction *item)
{
    struct smtpsession *session = judge->session;
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct smtpsession_restrictions *rules = &settings->restrictions;
    const struct judge_subject about = judge_subject_of_list(judge);
    switch (item->word) {
    case RESTRICTION_CHECK_ACCESS:
    case RESTRICTION_CHECK_CCERT_ACCESS:
    case RESTRICTION_CHECK_CLIENT_ACCESS:
    case RESTRICTION_CHECK_HELO_ACCESS:
    case RESTRICTION_CHECK_RECIPIENT_ACCESS:
    case RESTRICTION_CHECK_SASL_ACCESS:
    case RESTRICTION_CHECK_SENDER_ACCESS:
        return judge_access(judge, item);
    case RESTRICTION_DEFER:
        return judge_refuse(judge, rules->defer_code, 3, 2, &about, SPAN("Try again later"));
    case RESTRICTION_DEFER_IF_PERMIT:
        return put_off(judge, &judge->if_permitted, "defer_if_permit requested");
    case RESTRICTION_DEFER_IF_REJECT:
        return put_off(judge, &judge->if_refused, "defer_if_reject requested");
    case RESTRICTION_DEFER_UNAUTH_DESTINATION:
        return check_destination(judge, 454);
    case RESTRICTION_PERMIT:
        return JUDGE_PERMITS;
    case RESTRICTION_PERMIT_AUTH_DESTINATION:
        return permit_if(judge->recipient && judge->verdict->is_ours);
    case RESTRICTION_PERMIT_INET_INTERFACES:
        return permit_if(
            client_list_has(rules->interface_clients, span_empty(), &session->address));
    case RESTRICTION_PERMIT_MYNETWORKS:
        return permit_if(session->is_trusted);
    case RESTRICTION_PERMIT_SASL_AUTHENTICATED:
        return permit_if(session->sasl.method.length > 0);
    case RESTRICTION_PERMIT_TLS_ALL_CLIENTCERTS:
        return permit_if(session_has_trusted_certificate(session));
    case RESTRICTION_PERMIT_TLS_CLIENTCERTS:
        return judge_listed_certificate(judge);
    case RESTRICTION_REJECT:
        return judge_refuse(judge, rules->reject_code, 7, 1, &about, SPAN("Access denied"));
    case RESTRICTION_REJECT_AUTHENTICATED_SENDER_LOGIN_MISMATCH:
        return check_login(judge, LOGIN_WHEN_AUTHENTICATED);
    case RESTRICTION_REJECT_INVALID_HELO_HOSTNAME:
        return check_helo_name(judge, false);
    case RESTRICTION_REJECT_KNOWN_SENDER_LOGIN_MISMATCH:
        return check_login(judge, LOGIN_WHEN_AUTHENTICATED | LOGIN_WHEN_NOT | LOGIN_ONLY_KNOWN);
    case RESTRICTION_REJECT_NON_FQDN_HELO_HOSTNAME:
        return check_helo_name(judge, true);
    case RESTRICTION_REJECT_NON_FQDN_RECIPIENT: {
        const struct judge_subject recipient = judge_recipient(judge);
        return check_qualified_address(judge, &recipient,
                                       judge->recipient ? judge->recipient->domain : span_empty());
    }
    case RESTRICTION_REJECT_NON_FQDN_SENDER: {
        const struct judge_subject sender = judge_sender(judge);
        return check_qualified_address(judge, &sender, session->transaction.given_domain);
    }
    case RESTRICTION_REJECT_PLAINTEXT_SESSION:
        return session->tls
                   ? JUDGE_GOES_ON
                   : judge_refuse_as(judge,
                                     outcome_make(rules->plaintext_code < 500 ? OUTCOME_TEMPORARY
                                                                              : OUTCOME_PERMANENT,
                                                  rules->plaintext_code, 7, 1,
                                                  SPAN("Session encryption is required")));
    case RESTRICTION_REJECT_SENDER_LOGIN_MISMATCH:
        return check_login(judge, LOGIN_WHEN_AUTHENTICATED | LOGIN_WHEN_NOT);
    case RESTRICTION_REJECT_UNAUTH_DESTINATION:
        return check_destination(judge, settings->relay_reject_code);
    case RESTRICTION_REJECT_UNAUTH_PIPELINING:
        return session->was_improper ? judge_refuse(judge, 503, 5, 0, &about,
                                                    SPAN("Improper use of SMTP command pipelining"))
                                     : JUDGE_GOES_ON;
    case RESTRICTION_REJECT_UNAUTHENTICATED_SENDER_LOGIN_MISMATCH:
        return check_login(judge, LOGIN_WHEN_NOT);
    case RESTRICTION_REJECT_UNLISTED_RECIPIENT:
        return judge->recipient
                   ? check_listed(judge, &judge->verdict->listed, judge_recipient(judge))
                   : JUDGE_GOES_ON;
    case RESTRICTION_REJECT_UNLISTED_SENDER:
        return check_listed_sender(judge);
    case RESTRICTION_REJECT_UNVERIFIED_RECIPIENT:
        return check_verified(judge, true);
    case RESTRICTION_REJECT_UNVERIFIED_SENDER:
        return check_verified(judge, false);
    case RESTRICTION_WARN_IF_REJECT:
        break;
    }
    return JUDGE_GOES_ON;
}

enum judge_ruling judge_run(struct judge *judge, const struct restriction_list *list)
{
    enum judge_ruling ruling = JUDGE_GOES_ON;
    for (size_t i = 0; i < list->count && ruling == JUDGE_GOES_ON; i++) {
        const bool is_warned = i > 0 && list->items[i - 1].word == RESTRICTION_WARN_IF_REJECT;
        const bool warned_before = judge->only_warns;
        judge->only_warns = warned_before || is_warned;
        ruling = run_word(judge, &list->items[i]);
        judge->only_warns = warned_before;
    }
    return ruling;
}

bool session_permits(struct smtpsession *session, const char *stage, unsigned lists)
{
    static const unsigned delayed_lists =
        1U << SMTPSESSION_LIST_CLIENT | 1U << SMTPSESSION_LIST_HELO | 1U << SMTPSESSION_LIST_SENDER;
    struct outcome refusal;
    if (session->service->settings.restrictions.delays_reject)
        lists &= ~delayed_lists;
    if (session_judge(session, stage, lists, NULL, NULL, &refusal))
        return true;
    session_refuse(session, stage, &refusal, NULL);
    return false;
}

bool session_knows_sender(struct smtpsession *session)
{
    const struct smtpsession_restrictions *rules = &session->service->settings.restrictions;
    struct judge judge = {.session = session,
                          .stage = "MAIL",
                          .list = SMTPSESSION_LIST_SENDER,
                          .if_permitted = outcome_ok(),
                          .if_refused = outcome_ok()};
    if (rules->delays_reject || !rules->refuses_unlisted_sender ||
        session->transaction.actions.discards || check_listed_sender(&judge) != JUDGE_REFUSES)
        return true;
    session_refuse(session, judge.stage, &judge.refusal, NULL);
    return false;
}

bool session_judge(struct smtpsession *session, const char *stage, unsigned lists,
                   const struct mailbox *recipient, const struct smtpsession_verdict *verdict,
                   struct outcome *refusal)
{
    const struct smtpsession_restrictions *rules = &session->service->settings.restrictions;
    const struct session_transaction *transaction = &session->transaction;
    if (!recipient && (recipient = session_sole_recipient(session)) != NULL)
        verdict = &transaction->sole_verdict;
    /* What was not said is not judged. */
    if (span_is_empty(session->helo))
        lists &= ~(1U << SMTPSESSION_LIST_HELO);
    if (!transaction->has_sender)
        lists &= ~(1U << SMTPSESSION_LIST_SENDER);
    struct judge judge = {.session = session,
                          .stage = stage,
                          .recipient = recipient,
                          .verdict = verdict,
                          .if_permitted = outcome_ok(),
                          .if_refused = outcome_ok()};
    /* The lists' order is that of their names; recipients may come before relaying. */
    for (unsigned place = 0; place < SMTPSESSION_LIST_COUNT; place++) {
        unsigned list = place;
        if (!rules->checks_relay_first &&
            (place == SMTPSESSION_LIST_RELAY || place == SMTPSESSION_LIST_RECIPIENT))
            list = SMTPSESSION_LIST_RELAY + SMTPSESSION_LIST_RECIPIENT - place;
        judge.list = (enum smtpsession_list)list;
        if (lists & 1U << list && judge_run(&judge, &rules->lists[list]) == JUDGE_REFUSES) {
            *refusal = judge.refusal;
            return false;
        }
    }
    if (outcome_is_ok(&judge.if_permitted))
        return true;
    *refusal = judge.if_permitted;
    return false;
}
