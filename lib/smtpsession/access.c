/* smtpsession/access - tables in lists of restrictions: under which keys a client, a name, an
 * address or a user is looked up, and what a value means (access(5) of Postfix). See judge.h. */
#include "base/ascii.h"
#include "base/number.h"
#include "smtpsession/judge.h"
#include "table/address_lookup.h"

enum {
    VALUE_MAX_BYTES = 8192,
    DEPTH_MAX = 20,
    KEYS_ARENA_BYTES = 1 << 20,
    LOOKUP_TIMEOUT_MS = 100 * 1000
};

static void complain(struct judge *judge, const struct restriction *item, struct span what)
{
    maillog_text(judge->session->service->log, LOG_LEVEL_WARNING, span_empty(), "%.*s: %.*s",
                 SPAN_PRINTF(item->table.names), SPAN_PRINTF(what));
}

/* ---- look-ups ---- */

void judge_search_begin(struct judge_search *search, struct judge *judge,
                        const struct table_reference *tables, struct buffer *value)
{
    *search = (struct judge_search){.judge = judge, .tables = tables, .value = value};
    arena_init(&search->arena, KEYS_ARENA_BYTES, 0);
}

enum table_result judge_try_key(void *context, struct span key)
{
    struct judge_search *search = context;
    buffer_reset(search->value);
    if (table_reference_is_empty(search->tables))
        return TABLE_NOT_FOUND;
    if (search->tables->held)
        return table_list_lookup(search->tables->held, key, search->value);
    if (!search->keys)
        search->keys = arena_alloc(&search->arena, JUDGE_KEYS_MAX * sizeof(*search->keys));
    const struct span kept = arena_copy(&search->arena, key);
    if (!search->keys || !kept.bytes || search->key_count == JUDGE_KEYS_MAX)
        return TABLE_ERROR;
    search->keys[search->key_count++] = kept;
    return TABLE_NOT_FOUND;
}

/* Those that were collected, in their order. */
static enum table_result ask(struct judge_search *search)
{
    struct addr_client *client = search->judge->session->service->backend.addr;
    for (size_t done = 0; done < search->key_count; done += ADDR_LOOKUP_KEYS_MAX) {
        const size_t left = search->key_count - done;
        struct span found;
        if (!client)
            return TABLE_ERROR;
        const struct outcome outcome = addr_lookup(
            client, search->tables->names, search->tables->keeps_case, search->keys + done,
            left < ADDR_LOOKUP_KEYS_MAX ? left : ADDR_LOOKUP_KEYS_MAX,
            clock_deadline_after(LOOKUP_TIMEOUT_MS), &search->arena, &found);
        if (!outcome_is_ok(&outcome))
            return TABLE_ERROR;
        if (span_is_empty(found))
            continue;
        buffer_append_span(search->value, found);
        return buffer_ok(search->value) ? TABLE_FOUND : TABLE_ERROR;
    }
    return TABLE_NOT_FOUND;
}

enum table_result judge_search_end(struct judge_search *search, enum table_result found,
                                   struct span what)
{
    const struct table_list *held = search->tables->held;
    if (found == TABLE_NOT_FOUND && search->key_count)
        found = ask(search);
    if (found == TABLE_ERROR || found == TABLE_WOULD_BLOCK)
        maillog_text(search->judge->session->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "%.*s: %.*s", SPAN_PRINTF(what),
                     SPAN_PRINTF(held ? table_list_error(held) : SPAN("lookup error")));
    arena_destroy(&search->arena);
    return found;
}

/* ---- values ---- */

static struct span text_or(struct span text, const char *otherwise)
{
    return span_is_empty(text) ? span_from_string(otherwise) : text;
}

/* RFC 3463 section 3.2: of the details about addresses some are about recipients, others about
 * senders, and none about anything else. A table that serves several lists may have the wrong one.
 */
static void fit_status(struct enhanced_status *status, const struct judge_subject *about)
{
    static const uint16_t of_senders[] = {0, 7, 8, 7, 7, 0, 7, 7, 8};
    static const uint16_t of_recipients[] = {0, 1, 2, 3, 4, 5, 6, 3, 2};
    const struct span class = span_from_string(about->class);
    if (status->subject != 1 || status->detail == 0 || status->detail >= ARRAY_LENGTH(of_senders))
        return;
    if (span_equals(class, SPAN("Sender address")))
        status->detail = of_senders[status->detail];
    else if (span_equals(class, SPAN("Recipient address")))
        status->detail = of_recipients[status->detail];
    else
        *status = (struct enhanced_status){status->class, 0, 0};
}

/* "d.d.d text": the status that is given, of the class that the code says. */
static enum judge_ruling refuse_with(struct judge *judge, uint16_t code,
                                     const struct judge_subject *about, struct span text)
{
    struct enhanced_status status = {(uint16_t)(code / 100), 7, 1};
    size_t length = 0;
    if (enhanced_status_parse(text, &status, &length)) {
        text = span_trim_spaces(span_after(text, length));
        fit_status(&status, about);
    }
    return judge_refuse(judge, code, status.subject, status.detail, about,
                        text_or(text, "Access denied"));
}

static bool is_all_digits(struct span word)
{
    for (size_t i = 0; i < word.length; i++)
        if (!ascii_is_digit(word.bytes[i]))
            return false;
    return word.length > 0;
}

static enum judge_ruling put_off(struct judge *judge, struct outcome *when,
                                 const struct judge_subject *about, struct span text)
{
    const bool warned = judge->only_warns;
    const struct outcome refused = judge->refusal;
    if (!outcome_is_ok(when))
        return JUDGE_GOES_ON;
    judge->only_warns = false;
    (void)refuse_with(judge, 450, about, text_or(text, "Service unavailable")); /* only composed */
    *when = judge->refusal;
    judge->refusal = refused;
    judge->only_warns = warned;
    return JUDGE_GOES_ON;
}

enum judge_ruling judge_fail_configuration(struct judge *judge)
{
    judge->only_warns = false;
    return judge_refuse_as(judge, outcome_temporary(451, 3, 5, "Server configuration error"));
}

/* Words of a list, as a value. */
static enum judge_ruling run_words(struct judge *judge, const struct restriction *item,
                                   struct span value)
{
    struct restriction_list list;
    struct conf_error error;
    if (judge->depth >= DEPTH_MAX ||
        !restriction_list_parse(value, &judge->session->transaction_arena, &list, &error)) {
        complain(judge, item,
                 judge->depth >= DEPTH_MAX ? SPAN("lists that tables name are nested too deeply")
                                           : span_from_string(error.text));
        return judge_fail_configuration(judge);
    }
    for (size_t i = 0; i < list.count; i++)
        if (!span_is_empty(list.items[i].table.names)) {
            complain(judge, item, SPAN("a table cannot be named by a table"));
            return judge_fail_configuration(judge);
        }
    judge->depth++;
    const enum judge_ruling ruling = judge_run(judge, &list);
    judge->depth--;
    return ruling;
}

static enum judge_ruling obey(struct judge *judge, const struct restriction *item,
                              const struct judge_subject *about, struct span value)
{
    const struct smtpsession_restrictions *rules = &judge->session->service->settings.restrictions;
    value = span_trim_spaces(value);
    const size_t length = span_find_byte(value, ' ') < span_find_byte(value, '\t')
                              ? span_find_byte(value, ' ')
                              : span_find_byte(value, '\t');
    const struct span word = span_first(value, length);
    const struct span text = span_trim_spaces(span_after(value, length));
    enum judge_ruling ruling;
    uint64_t code;
    if (span_equals_ascii_nocase(word, SPAN("DUNNO")))
        return JUDGE_GOES_ON;
    if (span_equals_ascii_nocase(word, SPAN("OK")) || span_equals_ascii_nocase(word, SPAN("RELAY")))
        return JUDGE_PERMITS;
    if (span_equals_ascii_nocase(word, SPAN("REJECT")))
        return refuse_with(judge, rules->access_reject_code, about, text);
    if (span_equals_ascii_nocase(word, SPAN("DEFER")))
        return refuse_with(judge, rules->access_defer_code, about, text);
    if (span_equals_ascii_nocase(word, SPAN("DEFER_IF_PERMIT")))
        return put_off(judge, &judge->if_permitted, about, text);
    if (span_equals_ascii_nocase(word, SPAN("DEFER_IF_REJECT")))
        return put_off(judge, &judge->if_refused, about, text);
    if (span_equals_ascii_nocase(word, SPAN("INFO")) ||
        span_equals_ascii_nocase(word, SPAN("WARN"))) {
        judge_log(judge, ascii_to_lower(word.bytes[0]) == 'i' ? "info" : "warn", text);
        return JUDGE_GOES_ON;
    }
    if (judge_action(judge, item, about, word, text, &ruling))
        return ruling;
    /* Digits alone are a time stamp of those who logged in by POP, whatever they are. */
    if (is_all_digits(value))
        return JUDGE_PERMITS;
    if (word.length == 3 && is_all_digits(word) && number_parse_uint64(word, 599, &code) &&
        code >= 400)
        return refuse_with(judge, (uint16_t)code, about, text);
    return run_words(judge, item, value);
}

/* ---- keys ---- */

static bool matches_patterns(const struct restriction *item)
{
    struct span name = item->table.names;
    if (span_starts_with(name, SPAN("proxy:")))
        name = span_after(name, sizeof("proxy:") - 1);
    return span_starts_with(name, SPAN("regexp:")) || span_starts_with(name, SPAN("pcre:"));
}

/* The name, and what it is below. */
static enum table_result find_domain(struct judge_search *search, const struct restriction *item,
                                     struct span domain)
{
    const bool has_parents = search->judge->session->service->settings.restrictions.matches_parents;
    enum table_result result = TABLE_NOT_FOUND;
    if (matches_patterns(item) || (domain.length && domain.bytes[0] == '['))
        return judge_try_key(search, domain);
    while (domain.length && (result = judge_try_key(search, domain)) == TABLE_NOT_FOUND) {
        const size_t dot = span_find_byte(span_after(domain, 1), '.') + 1;
        if (dot >= domain.length)
            break;
        domain = span_after(domain, has_parents ? dot + 1 : dot);
    }
    return result;
}

/* The address, and the networks at whose ends its octets or groups are. */
static enum table_result find_ip(struct judge_search *search, const struct restriction *item,
                                 const struct smtpsession *session)
{
    const uint8_t mark = session->address.family == IP_FAMILY_6 ? ':' : '.';
    struct span key = session->peer.address;
    enum table_result result = TABLE_NOT_FOUND;
    while (key.length && (result = judge_try_key(search, key)) == TABLE_NOT_FOUND) {
        const size_t end = span_find_last_byte(key, mark);
        if (matches_patterns(item) || end >= key.length)
            break;
        key = span_first(key, end);
        while (key.length && key.bytes[key.length - 1] == ':') /* of "::" */
            key = span_first(key, key.length - 1);
    }
    return result;
}

static enum table_result find_client(struct judge_search *search, const struct restriction *item)
{
    const struct smtpsession *session = search->judge->session;
    enum table_result result = find_domain(search, item, session->peer.name);
    if (result == TABLE_NOT_FOUND)
        result = find_ip(search, item, session);
    return result;
}

static enum table_result find_address(struct judge_search *search, const struct restriction *item,
                                      const struct mailbox *mailbox)
{
    const struct smtpsession_restrictions *rules =
        &search->judge->session->service->settings.restrictions;
    if (mailbox_is_null(mailbox))
        return judge_try_key(search, rules->null_access_key);
    if (matches_patterns(item))
        return judge_try_key(search, mailbox->text);
    const struct table_address address = {
        .local_part = mailbox->local_part,
        .domain = mailbox->domain,
        .recipient_delimiter = rules->recipient_delimiter,
        .has_special_owner_request = rules->has_special_owner_request,
    };
    return table_address_lookup(&address, table_address_access(rules->matches_parents),
                                judge_try_key, search, &search->arena, NULL);
}

/* What a table alone is asked about is what the list is about. */
static enum restriction_word word_of_list(enum smtpsession_list list)
{
    switch (list) {
    case SMTPSESSION_LIST_HELO:
        return RESTRICTION_CHECK_HELO_ACCESS;
    case SMTPSESSION_LIST_SENDER:
        return RESTRICTION_CHECK_SENDER_ACCESS;
    case SMTPSESSION_LIST_RELAY:
    case SMTPSESSION_LIST_RECIPIENT:
        return RESTRICTION_CHECK_RECIPIENT_ACCESS;
    default:
        return RESTRICTION_CHECK_CLIENT_ACCESS;
    }
}

static enum table_result find(struct judge_search *search, const struct restriction *item,
                              struct judge_subject *about)
{
    struct judge *judge = search->judge;
    const struct smtpsession *session = judge->session;
    const enum restriction_word word =
        item->word == RESTRICTION_CHECK_ACCESS ? word_of_list(judge->list) : item->word;
    const enum smtpsession_list list = judge->list;
    switch (word) {
    case RESTRICTION_CHECK_HELO_ACCESS:
        *about = (struct judge_subject){session->helo, "Helo command"};
        return session->helo.length ? find_domain(search, item, session->helo) : TABLE_NOT_FOUND;
    case RESTRICTION_CHECK_SENDER_ACCESS:
        *about = judge_sender(judge);
        return session->transaction.has_sender
                   ? find_address(search, item, &session->transaction.reverse_path)
                   : TABLE_NOT_FOUND;
    case RESTRICTION_CHECK_RECIPIENT_ACCESS:
        *about = judge_recipient(judge);
        return judge->recipient ? find_address(search, item, judge->recipient) : TABLE_NOT_FOUND;
    case RESTRICTION_CHECK_CCERT_ACCESS:
        judge->list = SMTPSESSION_LIST_CLIENT;
        *about = (struct judge_subject){judge_subject_of_list(judge).name, "Client certificate"};
        judge->list = list;
        return judge_try_certificate(search);
    case RESTRICTION_CHECK_SASL_ACCESS:
        *about = (struct judge_subject){session->sasl.username, "SASL login name"};
        return session->sasl.username.length ? judge_try_key(search, session->sasl.username)
                                             : TABLE_NOT_FOUND;
    default:
        judge->list = SMTPSESSION_LIST_CLIENT;
        *about = judge_subject_of_list(judge);
        judge->list = list;
        return find_client(search, item);
    }
}

enum judge_ruling judge_access(struct judge *judge, const struct restriction *item)
{
    struct buffer value;
    struct judge_search search;
    struct judge_subject about = judge_subject_of_list(judge);
    enum judge_ruling ruling = JUDGE_GOES_ON;
    buffer_init(&value, &judge->session->transaction_arena, VALUE_MAX_BYTES);
    judge_search_begin(&search, judge, &item->table, &value);
    switch (judge_search_end(&search, find(&search, item, &about), item->table.names)) {
    case TABLE_FOUND:
        ruling = obey(judge, item, &about, buffer_span(&value));
        break;
    case TABLE_NOT_FOUND:
        break;
    case TABLE_ERROR:
    case TABLE_WOULD_BLOCK:
        ruling = judge_fail(judge, about.name);
        break;
    }
    return ruling;
}

bool judge_find_owners(struct judge *judge, const struct mailbox *sender, struct buffer *owners,
                       bool *has_failed)
{
    const struct smtpsession_settings *settings = &judge->session->service->settings;
    const struct smtpsession_restrictions *rules = &settings->restrictions;
    struct judge_search search;
    const struct table_address address = {
        .local_part = sender->local_part,
        .domain = sender->domain,
        .recipient_delimiter = rules->recipient_delimiter,
        .has_special_owner_request = rules->has_special_owner_request,
        .is_local_domain = address_domain_equals(sender->domain, settings->completion.myorigin),
    };
    judge_search_begin(&search, judge, &rules->login_maps, owners);
    const enum table_result result =
        judge_search_end(&search,
                         table_address_lookup(&address, TABLE_ADDRESS_RECIPIENT, judge_try_key,
                                              &search, &search.arena, NULL),
                         SPAN("smtpd_sender_login_maps"));
    *has_failed = result == TABLE_ERROR || result == TABLE_WOULD_BLOCK;
    return result == TABLE_FOUND;
}
