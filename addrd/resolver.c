/* addrd/resolver - see resolver.h. */
#include "resolver.h"

#include "expander.h"
#include "rewriter.h"
#include "table/address_lookup.h"

enum {
    RESOLVER_HOPS_MAX = 50,      /* routes in a local part that are followed */
    RESOLVER_SPARE_BYTES = 8192, /* more than any step over an address takes */
    RESOLVER_PLACE_MAX_BYTES = 512
};

/* One address on its way. */
struct resolution {
    struct search search;
    struct span sender;
    struct mailbox recipient;
    struct span domain; /* lower case, without a final dot */
    enum addr_class class;
    bool is_routed; /* the local part holds a route that was not followed */
    bool is_unparseable;
    bool
        is_complete; /* it was completed when it came in: "user@host." is not user@host.$mydomain */
    struct span transport;
    struct span nexthop;
};

struct outcome resolver_lookup_failure(void)
{
    return outcome_temporary(451, 3, 0, "Temporary lookup failure");
}

static struct outcome out_of_memory(void)
{
    return outcome_temporary(452, 3, 1, "Insufficient system storage");
}

static const struct conf_addrd *settings_of(const struct resolution *resolution)
{
    return resolution->search.resolver->settings;
}

/* The functions of lib/address do not tell nonsense from a lack of memory; mail is not to be
 * refused for the latter. Always false. */
static bool refuse_address(struct resolution *resolution)
{
    if (resolution->search.has_failed)
        return false;
    if (arena_alloc(resolution->search.arena, RESOLVER_SPARE_BYTES))
        resolution->is_unparseable = true;
    else
        (void)search_note_memory(&resolution->search);
    return false;
}

static struct span find_recipient(struct resolution *resolution, struct table_list *list,
                                  unsigned keys)
{
    if (table_list_is_empty(list))
        return (struct span){NULL, 0};
    const struct search_address address = {
        &resolution->recipient, resolution->domain,
        resolution->class == ADDR_CLASS_LOCAL ||
            span_equals_ascii_nocase(resolution->domain, settings_of(resolution)->myorigin),
        keys};
    return search_address(&resolution->search, list, &address, NULL);
}

/* ---- the address ---- */

static bool set_recipient(struct resolution *resolution, struct span local_part, struct span domain)
{
    if (domain.length && domain.bytes[domain.length - 1] == '.')
        domain.length--;
    if (!mailbox_set(&resolution->recipient, local_part, domain, resolution->search.arena))
        return refuse_address(resolution);
    resolution->domain = search_fold_domain(&resolution->search, domain);
    return resolution->domain.bytes != NULL;
}

/* A route hidden in a local part: user@site, site!user or user%site. */
static bool split_route(const struct conf_addrd *settings, struct span local_part,
                        struct span *user, struct span *site)
{
    const size_t at = span_find_last_byte(local_part, '@');
    if (at < local_part.length && settings->resolve_dequoted_address) {
        *user = span_first(local_part, at);
        *site = span_after(local_part, at + 1);
        return user->length > 0 && site->length > 0;
    }
    const size_t bang = span_find_byte(local_part, '!');
    if (bang < local_part.length && settings->swap_bangpath) {
        *site = span_first(local_part, bang);
        *user = span_after(local_part, bang + 1);
        return user->length > 0 && site->length > 0;
    }
    const size_t percent = span_find_last_byte(local_part, '%');
    if (percent < local_part.length && settings->allow_percent_hack) {
        *user = span_first(local_part, percent);
        *site = span_after(local_part, percent + 1);
        return user->length > 0 && site->length > 0;
    }
    return false;
}

/* Adds what is missing to an address as somebody wrote it. */
static bool complete(struct resolution *resolution)
{
    struct mailbox completed = resolution->recipient;

    if (!rewriter_complete(&resolution->search, span_empty(), &completed))
        return refuse_address(resolution);
    /* As nearly all are written. */
    if (completed.domain.length &&
        completed.text.length == completed.local_part.length + 1 + completed.domain.length) {
        resolution->recipient = completed;
        resolution->domain = search_fold_domain(&resolution->search, completed.domain);
        return resolution->domain.bytes != NULL;
    }
    return set_recipient(resolution, completed.local_part,
                         completed.domain.length ? completed.domain
                                                 : settings_of(resolution)->myhostname);
}

/* A site of a route is named as a domain is, and lacks the same. */
static bool complete_site(struct resolution *resolution, struct span site)
{
    return site.bytes[site.length - 1] == '.' || complete(resolution);
}

/* Mail for the null address goes to empty_address_recipient (RFC 5321 section 4.5.5 has none). */
static bool parse(struct resolution *resolution, struct span text)
{
    const struct conf_addrd *settings = resolution->search.resolver->settings;
    const struct span real = text.length ? text : settings->empty_address_recipient;

    if (mailbox_parse(real, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, resolution->search.arena,
                      &resolution->recipient) != PARSE_OK)
        return refuse_address(resolution);
    resolution->recipient.has_final_dot |= resolution->is_complete;
    return complete(resolution);
}

/* Our own name, or the address of one of our interfaces. */
static bool is_local(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->search.resolver;
    struct ip_address address;

    if (search_is_in(&resolution->search, resolver->tables.my_destination, resolution->domain))
        return true;
    if (resolution->search.has_failed)
        return false;
    if (resolution->recipient.is_address_literal)
        return address_literal_parse(resolution->domain, &address) &&
               search_is_own_address(&resolution->search, &address);
    if (!ip_address_parse(resolution->domain, &address))
        return false;
    if (!resolver->settings->resolve_numeric_domain) {
        resolution->is_unparseable = true; /* user@1.2.3.4 lacks its brackets */
        return false;
    }
    return search_is_own_address(&resolution->search, &address);
}

/* Whether we follow routes or not, others may: user%far.example, far.example!user. What stands in
 * quotes is as written where resolve_dequoted_address says so. */
static bool has_route(const struct resolution *resolution)
{
    const struct span local_part = resolution->recipient.local_part;
    if (!settings_of(resolution)->resolve_dequoted_address &&
        span_starts_with(resolution->recipient.text, SPAN("\"")))
        return false;
    for (size_t i = 0; i < local_part.length; i++)
        if (span_byte_is_one_of(local_part, i, "@%!", 3))
            return true;
    return false;
}

static void classify(struct resolution *resolution)
{
    const struct addr_tables *tables = &resolution->search.resolver->tables;
    const struct conf_addrd *settings = resolution->search.resolver->settings;
    struct span user;
    struct span site;

    for (int hops = 0; is_local(resolution); hops++) {
        resolution->class = ADDR_CLASS_LOCAL;
        resolution->is_routed = has_route(resolution);
        if (!split_route(settings, resolution->recipient.local_part, &user, &site))
            return;
        resolution->is_unparseable = hops >= RESOLVER_HOPS_MAX;
        if (resolution->is_unparseable || !set_recipient(resolution, user, site) ||
            !complete_site(resolution, site))
            return;
        resolution->class = ADDR_CLASS_NONE;
    }
    if (resolution->search.has_failed || resolution->is_unparseable)
        return;
    resolution->is_routed = has_route(resolution);
    const struct {
        struct table_match *match;
        enum addr_class class;
    } others[] = {{tables->virtual_alias_domains, ADDR_CLASS_VIRTUAL_ALIAS},
                  {tables->virtual_mailbox_domains, ADDR_CLASS_VIRTUAL_MAILBOX},
                  {tables->relay_domains, ADDR_CLASS_RELAY}};
    resolution->class = ADDR_CLASS_OTHER;
    for (size_t i = 0; i < ARRAY_LENGTH(others) && !resolution->search.has_failed; i++)
        if (search_is_in(&resolution->search, others[i].match, resolution->domain)) {
            resolution->class = others[i].class;
            return;
        }
}

/* ---- transport and next hop ---- */

/* "transport:nexthop"; either may be missing. */
static void split_transport(struct span text, struct span *transport, struct span *nexthop)
{
    (void)span_split_once(text, ':', transport, nexthop);
    *transport = span_trim_spaces(*transport);
    *nexthop = span_trim_spaces(*nexthop);
}

/* A table keyed by sender; "DUNNO" is as good as no entry. */
static struct span find_by_sender(struct resolution *resolution, struct table_list *list,
                                  struct span null_key)
{
    struct search *search = &resolution->search;
    struct mailbox sender;
    struct span value = {NULL, 0};

    if (table_list_is_empty(list))
        return value;
    if (resolution->sender.length == 0) {
        value = search_key(search, list, null_key);
    } else if (mailbox_parse(resolution->sender, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8,
                             search->arena, &sender) == PARSE_OK) {
        const struct search_address address = {&sender, sender.domain, false,
                                               TABLE_ADDRESS_MAILBOX};
        value = search_address(search, list, &address, NULL);
    }
    if (value.bytes && span_equals_ascii_nocase(span_trim_spaces(value), SPAN("DUNNO")))
        return (struct span){NULL, 0};
    return value;
}

/* What the class says, before transport_maps. */
static void choose_transport(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->search.resolver;
    const struct conf_addrd *settings = resolver->settings;
    struct span spec = settings->default_transport;
    bool is_off_host = false;

    switch (resolution->class) {
    case ADDR_CLASS_LOCAL:
        spec = settings->local_transport;
        break;
    case ADDR_CLASS_VIRTUAL_ALIAS:
        spec = span_from_string("error:5.1.1 User unknown in virtual alias table");
        break;
    case ADDR_CLASS_VIRTUAL_MAILBOX:
        spec = settings->virtual_transport;
        break;
    case ADDR_CLASS_RELAY:
        spec = settings->relay_transport;
        is_off_host = true;
        break;
    case ADDR_CLASS_OTHER:
    case ADDR_CLASS_NONE: {
        const struct span by_sender =
            find_by_sender(resolution, resolver->tables.transports_by_sender,
                           settings->empty_address_default_transport_maps_lookup_key);
        if (by_sender.bytes)
            spec = by_sender;
        is_off_host = true;
        break;
    }
    }
    split_transport(spec, &resolution->transport, &resolution->nexthop);
    if (resolution->nexthop.length > 0)
        return;
    resolution->nexthop = resolution->domain;
    if (!is_off_host)
        return;
    const struct span by_sender = find_by_sender(resolution, resolver->tables.relayhosts_by_sender,
                                                 settings->empty_address_relayhost_maps_lookup_key);
    if (by_sender.bytes)
        resolution->nexthop = span_trim_spaces(by_sender);
    else if (settings->relayhost.length > 0)
        resolution->nexthop = settings->relayhost;
}

static bool is_nowhere(struct span transport)
{
    return span_equals(transport, SPAN("error")) || span_equals(transport, SPAN("retry"));
}

/* transport(5): both empty change nothing; a transport alone goes to the recipient's domain; a next
 * hop alone keeps the transport. */
static void apply_transport_maps(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->search.resolver;
    struct span transport;
    struct span nexthop;

    if (resolution->class == ADDR_CLASS_VIRTUAL_ALIAS)
        return; /* it has an alias or does not exist; "*" is not about it */
    if (table_list_is_empty(resolver->tables.transports))
        return;
    const unsigned keys =
        table_address_transport(addr_tables_parent_matches(resolver->settings, "transport_maps"));
    const struct span value = find_recipient(resolution, resolver->tables.transports, keys);
    if (!value.bytes)
        return;
    split_transport(value, &transport, &nexthop);
    if (transport.length > 0) {
        resolution->transport = transport;
        resolution->nexthop = nexthop.length > 0      ? nexthop
                              : is_nowhere(transport) ? SPAN("Address is undeliverable")
                                                      : resolution->domain;
    } else if (nexthop.length > 0) {
        resolution->nexthop = nexthop;
    }
}

/* relocated(5): asked last, so that a transport of its own does not keep mail from bouncing. */
static void apply_relocated_maps(struct resolution *resolution)
{
    const struct span place = find_recipient(
        resolution, resolution->search.resolver->tables.relocated, TABLE_ADDRESS_RECIPIENT);

    if (!place.bytes)
        return;
    resolution->transport = SPAN("error");
    resolution->nexthop = arena_format(resolution->search.arena, "5.1.6 User has moved to %.*s",
                                       SPAN_PRINTF(span_first(place, RESOLVER_PLACE_MAX_BYTES)));
    if (!resolution->nexthop.bytes)
        (void)search_note_memory(&resolution->search);
}

/* Everything up to transport and next hop; OK, or why not. */
static struct outcome resolve(struct resolution *resolution, struct span text)
{
    if (parse(resolution, text))
        classify(resolution);
    if (!resolution->is_unparseable && !resolution->search.has_failed)
        choose_transport(resolution);
    if (!resolution->is_unparseable && !resolution->search.has_failed)
        apply_transport_maps(resolution);
    if (!resolution->is_unparseable && !resolution->search.has_failed)
        apply_relocated_maps(resolution);
    if (resolution->search.has_failed)
        return resolver_lookup_failure();
    if (resolution->is_unparseable)
        return outcome_permanent(501, 1, 3, "Bad recipient address syntax");
    return outcome_ok();
}

/* The details of RFC 3463 for an address of which we say no more: X.1.1, and X.1.0 of senders. */
static uint16_t unknown_detail(const char *what)
{
    return what[0] == 'S' ? 0 : 1;
}

/* error: and retry: are transports that deliver nowhere; the next hop is the reason, perhaps with
 * an enhanced status code in front. */
static bool is_refusal(const struct resolution *resolution, const char *what,
                       struct outcome *outcome)
{
    struct enhanced_status given;
    size_t length;
    if (resolution->class == ADDR_CLASS_VIRTUAL_ALIAS || !is_nowhere(resolution->transport))
        return false;
    *outcome = outcome_from_text(
        span_equals(resolution->transport, SPAN("error")) ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY,
        resolution->nexthop);
    if (!enhanced_status_parse(resolution->nexthop, &given, &length)) {
        outcome->status.subject = 1;
        outcome->status.detail = unknown_detail(what);
    }
    return true;
}

/* ---- the questions ---- */

/* RFC 5321 section 4.5.1: postmaster exists; and so does whom our own notices come from. */
static bool is_always_there(struct resolution *resolution)
{
    const struct span local_part = resolution->recipient.local_part;
    return span_equals_ascii_nocase(local_part, SPAN("postmaster")) ||
           span_equals_ascii_nocase(local_part, settings_of(resolution)->double_bounce_sender);
}

static bool is_unknown_in(struct resolution *resolution, struct table_list *list)
{
    return !table_list_is_empty(list) &&
           !find_recipient(resolution, list, TABLE_ADDRESS_RECIPIENT).bytes;
}

/* The table in whose stead nobody is there; NULL where it exists or nobody can tell. */
static const char *find_unknown(struct resolution *resolution)
{
    const struct addr_tables *tables = &resolution->search.resolver->tables;

    switch (resolution->class) {
    case ADDR_CLASS_LOCAL:
        return !is_always_there(resolution) && is_unknown_in(resolution, tables->local_recipients)
                   ? "local recipient"
                   : NULL;
    case ADDR_CLASS_VIRTUAL_ALIAS:
        return "virtual alias";
    case ADDR_CLASS_VIRTUAL_MAILBOX:
        return is_unknown_in(resolution, tables->virtual_mailboxes) ? "virtual mailbox" : NULL;
    case ADDR_CLASS_RELAY:
        return is_unknown_in(resolution, tables->relay_recipients) ? "relay recipient" : NULL;
    case ADDR_CLASS_OTHER:
    case ADDR_CLASS_NONE:
        break;
    }
    return NULL;
}

/* *refusal becomes why, where there is memory to say so. */
static struct outcome reject(struct resolution *resolution, struct outcome outcome,
                             const char *what, struct span reason, enum addr_refusal why,
                             enum addr_refusal *refusal)
{
    outcome.reason = arena_format(resolution->search.arena, "%s address rejected: %.*s", what,
                                  SPAN_PRINTF(reason));
    if (!outcome.reason.bytes)
        return out_of_memory();
    *refusal = why;
    return outcome;
}

/* is_known: another table says that it exists. what: "Recipient" or "Sender". *refusal: why the
 * outcome is not OK. */
static struct outcome check_existence(struct resolution *resolution, bool is_known,
                                      const char *what, enum addr_refusal *refusal)
{
    const bool names_table = settings_of(resolution)->show_user_unknown_table_name;
    struct outcome outcome;
    const char *table = NULL;

    *refusal = ADDR_REFUSAL_NONE;
    if (is_known)
        return outcome_ok();
    if (is_refusal(resolution, what, &outcome))
        return reject(resolution, outcome, what, outcome.reason, ADDR_REFUSAL_NOWHERE, refusal);
    table = find_unknown(resolution);
    if (resolution->search.has_failed)
        return resolver_lookup_failure();
    if (!table)
        return outcome_ok();
    const struct span reason =
        names_table ? arena_format(resolution->search.arena, "User unknown in %s table", table)
                    : SPAN("User unknown");
    if (!reason.bytes)
        return out_of_memory();
    return reject(resolution, outcome_permanent(550, 1, unknown_detail(what), ""), what, reason,
                  ADDR_REFUSAL_UNKNOWN, refusal);
}

/* Is the sender, where its domain is ours, somebody? *class: of one that is unknown. */
static struct outcome check_sender(struct resolver *resolver, struct span sender,
                                   struct arena *arena, enum addr_class *class)
{
    struct resolution resolution = {.search = {.resolver = resolver, .arena = arena}};
    struct expansion expansion;
    enum addr_refusal refusal;

    if (sender.length == 0)
        return outcome_ok();
    const struct outcome outcome = resolve(&resolution, sender);
    if (!outcome_is_ok(&outcome))
        return outcome.kind == OUTCOME_TEMPORARY ? outcome : outcome_ok(); /* others refuse that */
    struct mailbox canonical = resolution.recipient;
    if (rewriter_canonical(&resolution.search, "envelope_sender", &canonical))
        return outcome_ok();
    expander_expand(resolver, &resolution.recipient, span_empty(), 0, arena, &expansion);
    if (!outcome_is_ok(&expansion.outcome))
        return expansion.outcome;
    const struct outcome existence =
        check_existence(&resolution, expansion.is_known, "Sender", &refusal);
    if (refusal == ADDR_REFUSAL_UNKNOWN)
        *class = resolution.class;
    return existence;
}

void resolver_check_recipient(struct resolver *resolver, struct span recipient, struct span sender,
                              unsigned flags, struct arena *arena, struct addr_check *check,
                              struct expansion *expansion)
{
    struct resolution resolution = {.search = {.resolver = resolver, .arena = arena},
                                    .sender = sender};
    enum addr_refusal refusal = ADDR_REFUSAL_NONE;

    *expansion = (struct expansion){.outcome = outcome_ok()};
    struct outcome outcome = resolve(&resolution, recipient);
    if (outcome_is_ok(&outcome)) {
        expander_expand(resolver, &resolution.recipient, sender, flags, arena, expansion);
        outcome = expansion->outcome;
    }
    if (outcome_is_ok(&outcome))
        outcome = check_existence(&resolution, expansion->is_known, "Recipient", &refusal);
    *check = (struct addr_check){
        .class = resolution.class,
        .outcome = outcome,
        .refusal = refusal,
        .unknown_class = refusal == ADDR_REFUSAL_UNKNOWN ? resolution.class : ADDR_CLASS_NONE,
        .recipient = recipient,
        .sender_outcome = outcome_ok()};
    if (flags & ADDR_EXPAND_CHECK_SENDER)
        check->sender_outcome = check_sender(resolver, sender, arena, &check->sender_class);
    if (outcome.kind == OUTCOME_TEMPORARY && !refusal)
        return;
    /* A route that the next system may follow makes us a relay for strangers. */
    if (resolution.is_routed && !resolver->settings->allow_untrusted_routing)
        check->class = ADDR_CLASS_OTHER;
    if (resolution.recipient.text.length)
        check->recipient = resolution.recipient.text;
}

/* virtual(8) is told the mailbox, so that it need not look it up. */
static struct outcome find_mailbox(struct resolution *resolution, struct span *mailbox)
{
    const struct span value = find_recipient(
        resolution, resolution->search.resolver->tables.virtual_mailboxes, TABLE_ADDRESS_MAILBOX);

    *mailbox = value.bytes ? span_trim_spaces(value) : span_empty();
    if (resolution->search.has_failed)
        return resolver_lookup_failure();
    if (value.bytes && span_is_empty(*mailbox)) /* a mistake in the table: nobody is unknown */
        return outcome_temporary(451, 2, 0, "the table of mailboxes gives no usable path");
    if (value.bytes || !span_equals(resolution->transport, span_from_string("virtual")))
        return outcome_ok();
    const struct span reason = arena_format(resolution->search.arena, "unknown user: \"%.*s\"",
                                            SPAN_PRINTF(resolution->recipient.text));
    return reason.bytes ? outcome_make(OUTCOME_PERMANENT, 550, 1, 1, reason) : out_of_memory();
}

/* An address of the class that has an alias was meant to be replaced at intake: what is in the
 * queue from before it had one waits for an operator, and nobody is told that there is no such
 * user. */
static struct outcome judge_alias(struct resolution *resolution)
{
    struct expansion expansion;

    expander_expand(resolution->search.resolver, &resolution->recipient, span_empty(), 0,
                    resolution->search.arena, &expansion);
    if (!outcome_is_ok(&expansion.outcome))
        return expansion.outcome;
    for (size_t i = 0; i < expansion.count; i++)
        if (!span_equals_ascii_nocase(expansion.all[i].address, resolution->recipient.text))
            return outcome_temporary(451, 3, 5, "a virtual alias that was not expanded");
    return outcome_ok();
}

void resolver_route(struct resolver *resolver, struct span recipient, struct span sender,
                    struct arena *arena, struct addr_route *route)
{
    struct resolution resolution = {
        .search = {.resolver = resolver, .arena = arena}, .sender = sender, .is_complete = true};
    struct span mailbox = span_empty();

    struct outcome outcome = resolve(&resolution, recipient);
    if (outcome_is_ok(&outcome) && resolution.class == ADDR_CLASS_VIRTUAL_ALIAS) {
        outcome = judge_alias(&resolution);
    } else if (outcome_is_ok(&outcome) && resolution.class == ADDR_CLASS_VIRTUAL_MAILBOX) {
        outcome = find_mailbox(&resolution, &mailbox);
    } else if (outcome_is_ok(&outcome) &&
               (resolution.class == ADDR_CLASS_LOCAL ||
                span_equals(resolution.transport, span_from_string("virtual")))) {
        /* local may hand it to virtual (mailbox_transport), and so may transport_maps. */
        outcome = find_mailbox(&resolution, &mailbox);
    }
    *route = (struct addr_route){
        .outcome = outcome,
        .recipient = resolution.recipient.text.length ? resolution.recipient.text : recipient};
    if (!outcome_is_ok(&outcome))
        return;
    route->transport = resolution.transport;
    route->nexthop = resolution.nexthop;
    route->mailbox = mailbox;
}

void resolver_for_verification(const struct resolver *resolver, struct conf_addrd *settings,
                               struct resolver *result)
{
    const struct conf_addrd *own = resolver->settings;
    *settings = *own;
    settings->local_transport = own->address_verify_local_transport;
    settings->virtual_transport = own->address_verify_virtual_transport;
    settings->relay_transport = own->address_verify_relay_transport;
    settings->default_transport = own->address_verify_default_transport;
    settings->relayhost = own->address_verify_relayhost;
    *result = *resolver;
    result->settings = settings;
    result->tables.transports = resolver->tables.verify_transports;
    result->tables.relayhosts_by_sender = resolver->tables.verify_relayhosts_by_sender;
    result->tables.transports_by_sender = resolver->tables.verify_transports_by_sender;
}
