/* addrd/resolver - see resolver.h. */
#include "resolver.h"

#include "base/ascii.h"
#include "table/address_lookup.h"

enum {
    RESOLVER_HOPS_MAX = 50,     /* routes in a local part that are followed */
    RESOLVER_SPARE_BYTES = 8192 /* more than any step over an address takes */
};

/* One address on its way. */
struct resolution {
    struct resolver *resolver;
    struct arena *arena;
    struct span sender;
    struct mailbox recipient;
    struct span domain; /* lower case, without a final dot */
    enum addr_class class;
    bool is_routed; /* the local part holds a route that was not followed */
    bool has_failed_lookup;
    bool is_unparseable;
    struct span transport;
    struct span nexthop;
};

static struct outcome lookup_failure(void)
{
    return outcome_temporary(451, 3, 0, "Temporary lookup failure");
}

static struct outcome out_of_memory(void)
{
    return outcome_temporary(452, 3, 1, "Insufficient system storage");
}

/* Notes a failed lookup; true where the key is there. */
static bool was_found(struct resolution *resolution, enum table_result result, struct span reason)
{
    const struct resolver *resolver = resolution->resolver;
    if (result == TABLE_ERROR || result == TABLE_WOULD_BLOCK) {
        resolution->has_failed_lookup = true;
        if (resolver->report)
            resolver->report(resolver->report_context, reason);
    }
    return result == TABLE_FOUND;
}

static bool is_in(struct resolution *resolution, struct table_match *match, struct span name)
{
    const enum table_result result = table_match_lookup(match, name);
    return was_found(resolution, result,
                     result == TABLE_ERROR ? table_match_error(match) : span_empty());
}

/* The functions of lib/address do not tell nonsense from a lack of memory; mail is not to be
 * refused for the latter. Always false. */
static bool refuse_address(struct resolution *resolution)
{
    if (arena_alloc(resolution->arena, RESOLVER_SPARE_BYTES))
        resolution->is_unparseable = true;
    else
        (void)was_found(resolution, TABLE_ERROR, span_from_string("memory is out"));
    return false;
}

/* ---- lookups of addresses ---- */

struct list_search {
    struct table_list *list;
    struct buffer *value;
};

static enum table_result try_list(void *context, struct span key)
{
    const struct list_search *search = context;
    return table_list_lookup(search->list, key, search->value);
}

/* The value in the arena, or a span with NULL bytes. */
static struct span find_address(struct resolution *resolution, struct table_list *list,
                                const struct mailbox *mailbox, struct span domain,
                                bool is_local_domain, unsigned keys)
{
    const struct conf_addrd *settings = resolution->resolver->settings;
    const struct table_address address = {.local_part = mailbox->local_part,
                                          .domain = domain,
                                          .recipient_delimiter = settings->recipient_delimiter,
                                          .has_special_owner_request = true,
                                          .is_local_domain = is_local_domain};
    struct buffer value;

    if (table_list_is_empty(list))
        return (struct span){NULL, 0};
    buffer_init(&value, resolution->arena, TABLE_VALUE_MAX_BYTES);
    struct list_search search = {list, &value};
    const enum table_result result =
        table_address_lookup(&address, keys, try_list, &search, resolution->arena, NULL);
    if (!was_found(resolution, result,
                   result == TABLE_ERROR ? table_list_error(list) : span_empty()))
        return (struct span){NULL, 0};
    return buffer_span(&value);
}

static bool is_origin(const struct resolution *resolution)
{
    return span_equals_ascii_nocase(resolution->domain, resolution->resolver->settings->myorigin);
}

static struct span find_recipient(struct resolution *resolution, struct table_list *list,
                                  unsigned keys)
{
    return find_address(resolution, list, &resolution->recipient, resolution->domain,
                        resolution->class == ADDR_CLASS_LOCAL || is_origin(resolution), keys);
}

/* ---- the address ---- */

static bool is_own_address(const struct resolver *resolver, const struct ip_address *address)
{
    for (size_t i = 0; i < resolver->own_address_count; i++)
        if (ip_address_equals(&resolver->own_addresses[i], address))
            return true;
    return false;
}

static bool set_recipient(struct resolution *resolution, struct span local_part, struct span domain)
{
    if (domain.length && domain.bytes[domain.length - 1] == '.')
        domain.length--;
    uint8_t *lower = arena_alloc(resolution->arena, domain.length);
    if (!lower || !mailbox_set(&resolution->recipient, local_part, domain, resolution->arena))
        return refuse_address(resolution);
    if (domain.length)
        memcpy(lower, domain.bytes, domain.length);
    ascii_lower_in_place(lower, domain.length);
    resolution->domain = span_of(lower, domain.length);
    return true;
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
    const struct conf_addrd *settings = resolution->resolver->settings;
    const struct address_completion rules = {.myorigin = settings->myorigin,
                                             .mydomain = settings->mydomain,
                                             .append_at_myorigin = settings->append_at_myorigin,
                                             .append_dot_mydomain = settings->append_dot_mydomain,
                                             .allow_percent_hack = settings->allow_percent_hack};
    struct mailbox completed = resolution->recipient;
    struct span user;
    struct span site;

    if (completed.domain.length == 0 && settings->swap_bangpath &&
        span_find_byte(completed.local_part, '!') < completed.local_part.length &&
        split_route(settings, completed.local_part, &user, &site) &&
        !mailbox_set(&completed, user, site, resolution->arena))
        return refuse_address(resolution);
    if (!address_complete(&rules, &completed, resolution->arena, &completed))
        return refuse_address(resolution);
    return set_recipient(resolution, completed.local_part,
                         completed.domain.length ? completed.domain : settings->myhostname);
}

/* Mail for the null address goes to empty_address_recipient (RFC 5321 section 4.5.5 has none). */
static bool parse(struct resolution *resolution, struct span text)
{
    const struct conf_addrd *settings = resolution->resolver->settings;
    const struct span real = text.length ? text : settings->empty_address_recipient;

    if (mailbox_parse(real, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8, resolution->arena,
                      &resolution->recipient) == PARSE_OK)
        return complete(resolution);
    return refuse_address(resolution);
}

/* Our own name, or the address of one of our interfaces. */
static bool is_local(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->resolver;
    struct ip_address address;

    if (is_in(resolution, resolver->tables.my_destination, resolution->domain))
        return true;
    if (resolution->has_failed_lookup)
        return false;
    if (resolution->recipient.is_address_literal)
        return address_literal_parse(resolution->domain, &address) &&
               is_own_address(resolver, &address);
    if (!ip_address_parse(resolution->domain, &address))
        return false;
    if (!resolver->settings->resolve_numeric_domain) {
        resolution->is_unparseable = true; /* user@1.2.3.4 lacks its brackets */
        return false;
    }
    return is_own_address(resolver, &address);
}

static void classify(struct resolution *resolution)
{
    const struct addr_tables *tables = &resolution->resolver->tables;
    const struct conf_addrd *settings = resolution->resolver->settings;
    struct span user;
    struct span site;

    for (int hops = 0; is_local(resolution); hops++) {
        resolution->class = ADDR_CLASS_LOCAL;
        if (!split_route(settings, resolution->recipient.local_part, &user, &site))
            return;
        resolution->is_unparseable = hops >= RESOLVER_HOPS_MAX;
        if (resolution->is_unparseable || !set_recipient(resolution, user, site))
            return;
        resolution->class = ADDR_CLASS_NONE;
    }
    if (resolution->has_failed_lookup || resolution->is_unparseable)
        return;
    resolution->is_routed = split_route(settings, resolution->recipient.local_part, &user, &site);
    const struct {
        struct table_match *match;
        enum addr_class class;
    } others[] = {{tables->virtual_alias_domains, ADDR_CLASS_VIRTUAL_ALIAS},
                  {tables->virtual_mailbox_domains, ADDR_CLASS_VIRTUAL_MAILBOX},
                  {tables->relay_domains, ADDR_CLASS_RELAY}};
    resolution->class = ADDR_CLASS_OTHER;
    for (size_t i = 0; i < ARRAY_LENGTH(others) && !resolution->has_failed_lookup; i++)
        if (is_in(resolution, others[i].match, resolution->domain)) {
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
static struct span find_by_sender(struct resolution *resolution, struct table_list *list)
{
    struct mailbox sender;
    struct span value = {NULL, 0};
    struct buffer found;

    if (table_list_is_empty(list))
        return value;
    if (resolution->sender.length == 0) {
        buffer_init(&found, resolution->arena, TABLE_VALUE_MAX_BYTES);
        const enum table_result result = table_list_lookup(list, span_from_string("<>"), &found);
        if (was_found(resolution, result,
                      result == TABLE_ERROR ? table_list_error(list) : span_empty()))
            value = buffer_span(&found);
    } else if (mailbox_parse(resolution->sender, ADDRESS_LENIENT | ADDRESS_ALLOW_UTF8,
                             resolution->arena, &sender) == PARSE_OK) {
        value =
            find_address(resolution, list, &sender, sender.domain, false, TABLE_ADDRESS_MAILBOX);
    }
    if (value.bytes && span_equals_ascii_nocase(span_trim_spaces(value), span_from_string("DUNNO")))
        return (struct span){NULL, 0};
    return value;
}

/* What the class says, before transport_maps. */
static void choose_transport(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->resolver;
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
            find_by_sender(resolution, resolver->tables.transports_by_sender);
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
    const struct span by_sender = find_by_sender(resolution, resolver->tables.relayhosts_by_sender);
    if (by_sender.bytes)
        resolution->nexthop = span_trim_spaces(by_sender);
    else if (settings->relayhost.length > 0)
        resolution->nexthop = settings->relayhost;
}

/* transport(5): both empty change nothing; a transport alone goes to the recipient's domain; a next
 * hop alone keeps the transport. */
static void apply_transport_maps(struct resolution *resolution)
{
    const struct resolver *resolver = resolution->resolver;
    const unsigned keys =
        table_address_transport(addr_tables_parent_matches(resolver->settings, "transport_maps"));
    struct span transport;
    struct span nexthop;

    if (resolution->class == ADDR_CLASS_VIRTUAL_ALIAS)
        return; /* it has an alias or does not exist; "*" is not about it */
    const struct span value = find_recipient(resolution, resolver->tables.transports, keys);
    if (!value.bytes)
        return;
    split_transport(value, &transport, &nexthop);
    if (transport.length > 0) {
        resolution->transport = transport;
        resolution->nexthop = nexthop.length > 0 ? nexthop : resolution->domain;
    } else if (nexthop.length > 0) {
        resolution->nexthop = nexthop;
    }
}

/* Everything up to transport and next hop; OK, or why not. */
static struct outcome resolve(struct resolution *resolution, struct span text)
{
    if (parse(resolution, text))
        classify(resolution);
    if (!resolution->is_unparseable && !resolution->has_failed_lookup)
        choose_transport(resolution);
    if (!resolution->is_unparseable && !resolution->has_failed_lookup)
        apply_transport_maps(resolution);
    if (resolution->has_failed_lookup)
        return lookup_failure();
    if (resolution->is_unparseable)
        return outcome_permanent(501, 1, 3, "Bad recipient address syntax");
    return outcome_ok();
}

/* error: and retry: are transports that deliver nowhere; the next hop is the reason, perhaps with
 * an enhanced status code in front. */
static bool is_refusal(const struct resolution *resolution, struct outcome *outcome)
{
    const bool is_error = span_equals(resolution->transport, span_from_string("error"));
    if (!is_error && !span_equals(resolution->transport, span_from_string("retry")))
        return false;
    *outcome =
        outcome_from_text(is_error ? OUTCOME_PERMANENT : OUTCOME_TEMPORARY, resolution->nexthop);
    return true;
}

/* ---- the questions ---- */

static bool is_postmaster(const struct resolution *resolution)
{
    return span_equals_ascii_nocase(resolution->recipient.local_part,
                                    span_from_string("postmaster"));
}

/* An address that virtual_alias_maps replaces exists, whatever its class. */
static bool is_alias(struct resolution *resolution)
{
    return find_recipient(resolution, resolution->resolver->tables.virtual_aliases,
                          TABLE_ADDRESS_RECIPIENT)
               .bytes != NULL;
}

static bool is_unknown_in(struct resolution *resolution, struct table_list *list)
{
    return !table_list_is_empty(list) &&
           !find_recipient(resolution, list, TABLE_ADDRESS_RECIPIENT).bytes;
}

/* NULL where it exists or nobody can tell. */
static const char *find_unknown(struct resolution *resolution)
{
    const struct addr_tables *tables = &resolution->resolver->tables;

    switch (resolution->class) {
    case ADDR_CLASS_LOCAL: /* RFC 5321 section 4.5.1: postmaster exists */
        return !is_postmaster(resolution) && is_unknown_in(resolution, tables->local_recipients)
                   ? "Recipient address rejected: User unknown in local recipient table"
                   : NULL;
    case ADDR_CLASS_VIRTUAL_ALIAS:
        return "Recipient address rejected: User unknown in virtual alias table";
    case ADDR_CLASS_VIRTUAL_MAILBOX:
        return is_unknown_in(resolution, tables->virtual_mailboxes)
                   ? "Recipient address rejected: User unknown in virtual mailbox table"
                   : NULL;
    case ADDR_CLASS_RELAY:
        return is_unknown_in(resolution, tables->relay_recipients)
                   ? "Recipient address rejected: User unknown in relay recipient table"
                   : NULL;
    case ADDR_CLASS_OTHER:
    case ADDR_CLASS_NONE:
        break;
    }
    return NULL;
}

static struct outcome check_existence(struct resolution *resolution)
{
    struct outcome refusal;
    const char *unknown = NULL;

    const bool has_alias = is_alias(resolution);
    if (!has_alias && !resolution->has_failed_lookup) {
        if (resolution->class != ADDR_CLASS_VIRTUAL_ALIAS && is_refusal(resolution, &refusal) &&
            refusal.kind == OUTCOME_PERMANENT) {
            refusal.reason = arena_format(resolution->arena, "Recipient address rejected: %.*s",
                                          SPAN_PRINTF(refusal.reason));
            return refusal.reason.bytes ? refusal : out_of_memory();
        }
        unknown = find_unknown(resolution);
    }
    if (resolution->has_failed_lookup)
        return lookup_failure();
    return unknown ? outcome_permanent(550, 1, 1, unknown) : outcome_ok();
}

void resolver_check_recipient(struct resolver *resolver, struct span recipient, struct span sender,
                              struct arena *arena, struct addr_check *check)
{
    struct resolution resolution = {.resolver = resolver, .arena = arena, .sender = sender};

    struct outcome outcome = resolve(&resolution, recipient);
    if (outcome_is_ok(&outcome))
        outcome = check_existence(&resolution);
    *check = (struct addr_check){resolution.class, outcome, recipient};
    if (outcome.kind == OUTCOME_TEMPORARY)
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
        resolution, resolution->resolver->tables.virtual_mailboxes, TABLE_ADDRESS_MAILBOX);

    *mailbox = value.bytes ? span_trim_spaces(value) : span_empty();
    if (resolution->has_failed_lookup)
        return lookup_failure();
    if (value.bytes || !span_equals(resolution->transport, span_from_string("virtual")))
        return outcome_ok();
    const struct span reason = arena_format(resolution->arena, "unknown user: \"%.*s\"",
                                            SPAN_PRINTF(resolution->recipient.text));
    return reason.bytes ? outcome_make(OUTCOME_PERMANENT, 550, 1, 1, reason) : out_of_memory();
}

/* Expansion is not this daemon's yet: an address that has an alias must not be refused. */
static bool waits_for_expansion(struct resolution *resolution)
{
    return resolution->class == ADDR_CLASS_VIRTUAL_ALIAS && is_alias(resolution);
}

void resolver_route(struct resolver *resolver, struct span recipient, struct span sender,
                    struct arena *arena, struct addr_route *route)
{
    struct resolution resolution = {.resolver = resolver, .arena = arena, .sender = sender};
    struct span mailbox = span_empty();
    struct outcome refusal;

    struct outcome outcome = resolve(&resolution, recipient);
    if (outcome_is_ok(&outcome) && is_refusal(&resolution, &refusal)) {
        const bool is_waiting = waits_for_expansion(&resolution);
        if (resolution.has_failed_lookup)
            outcome = lookup_failure();
        else if (is_waiting)
            outcome = outcome_temporary(451, 3, 5, "Virtual aliases are not expanded here");
    } else if (outcome_is_ok(&outcome) && resolution.class == ADDR_CLASS_VIRTUAL_MAILBOX) {
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
