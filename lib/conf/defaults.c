/* conf/defaults - the defaults that are computed: myhostname, mydomain, mynetworks. */
#include "conf/defaults.h"

#include <arpa/inet.h>

#include "conf/networks.h"

/* Defaults that need each other end here; a name that refers to itself is then reported by the
 * expansion's own limit. */
enum { DEFAULTS_MAX_DEPTH = 4 };

static bool expand_in(const struct conf_place *place, struct span text, struct buffer *output)
{
    struct conf_place inner = {place->instance, place->service, place->depth + 1};
    const struct conf_scope scope = {.find = conf_place_find, .context = &inner};
    struct conf_error ignored; /* the name itself is checked, and reported, on its own */
    return inner.depth <= DEFAULTS_MAX_DEPTH && conf_expand(text, &scope, output, &ignored);
}

/* The expanded value of a name, in the instance's arena. */
static struct span value_of(const struct conf_place *place, const char *name)
{
    struct buffer text;
    struct span copy = span_empty();
    buffer_init(&text, NULL, CONF_EXPAND_MAX_BYTES);
    buffer_append_format(&text, "$%s", name);
    struct buffer value;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (expand_in(place, buffer_span(&text), &value))
        copy = arena_copy(place->instance->arena, buffer_span(&value));
    buffer_release(&value);
    buffer_release(&text);
    return copy.bytes ? copy : span_empty();
}

static struct span without_first_label(struct span hostname)
{
    const size_t dot = span_find_byte(hostname, '.');
    return dot + 1 < hostname.length ? span_after(hostname, dot + 1) : SPAN("localdomain");
}

static struct span compute_hostname(const struct conf_place *place)
{
    const struct span name = place->instance->host.hostname;
    struct span mydomain;
    if (span_find_byte(name, '.') < name.length)
        return name;
    mydomain = conf_place_is_set(place, SPAN("mydomain"), &mydomain) ? value_of(place, "mydomain")
                                                                     : SPAN("localdomain");
    const struct span full =
        arena_format(place->instance->arena, "%.*s.%.*s", SPAN_PRINTF(name), SPAN_PRINTF(mydomain));
    return full.bytes ? full : name;
}

static struct span compute_domain(const struct conf_place *place)
{
    struct span raw;
    if (conf_place_is_set(place, SPAN("myhostname"), &raw))
        return without_first_label(value_of(place, "myhostname"));
    return without_first_label(place->instance->host.hostname);
}

static bool is_loopback(const struct conf_interface *interface)
{
    static const uint8_t ipv6_loopback[16] = {[15] = 1};
    return interface->is_ipv6 ? memcmp(interface->address, ipv6_loopback, 16) == 0
                              : interface->address[0] == 127;
}

/* The network of an interface under mynetworks_style. */
static uint8_t choose_prefix(const struct conf_interface *interface, struct span style)
{
    if (span_equals_ascii_nocase(style, SPAN("subnet")))
        return interface->prefix_bits;
    if (span_equals_ascii_nocase(style, SPAN("class")) && !interface->is_ipv6) {
        const uint8_t first = interface->address[0];
        return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : 32;
    }
    if (span_equals_ascii_nocase(style, SPAN("class")))
        return interface->prefix_bits;
    return interface->is_ipv6 ? 128 : 32;
}

static void append_network(struct buffer *output, const struct conf_interface *interface,
                           uint8_t prefix_bits)
{
    uint8_t network[16] = {0};
    char text[INET6_ADDRSTRLEN] = "";
    const size_t length = interface->is_ipv6 ? 16 : 4;

    for (size_t i = 0; i < length; i++) {
        const unsigned bits_before = (unsigned)(8 * i);
        const unsigned kept = prefix_bits <= bits_before       ? 0
                              : prefix_bits - bits_before >= 8 ? 8
                                                               : prefix_bits - bits_before;
        network[i] = (uint8_t)(interface->address[i] & (0xff00u >> kept));
    }
    if (!inet_ntop(interface->is_ipv6 ? AF_INET6 : AF_INET, network, text, sizeof(text)))
        return;
    struct buffer item;
    buffer_init(&item, NULL, INET6_ADDRSTRLEN + sizeof("[]/128"));
    buffer_append_format(&item, interface->is_ipv6 ? "[%s]/%u" : "%s/%u", text, prefix_bits);
    if (!span_list_has(buffer_span(output), buffer_span(&item))) {
        if (output->length > 0)
            buffer_append_byte(output, ' ');
        buffer_append_span(output, buffer_span(&item));
    }
    buffer_release(&item);
}

/* Interfaces that inet_interfaces leaves out do not count: mail from there is not for us. */
static bool is_used(const struct conf_interface *interface, struct span interfaces,
                    struct span protocols)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (!span_list_has(protocols, SPAN("all")) &&
        !span_list_has(protocols, interface->is_ipv6 ? SPAN("ipv6") : SPAN("ipv4")))
        return false;
    if (span_is_empty(interfaces) || span_list_has(interfaces, SPAN("all")))
        return true;
    if (is_loopback(interface))
        return true;
    if (!inet_ntop(interface->is_ipv6 ? AF_INET6 : AF_INET, interface->address, text, sizeof(text)))
        return false;
    return span_list_has(interfaces, span_from_string(text));
}

void conf_append_interfaces(const struct conf_place *place, struct buffer *output)
{
    const struct conf_host *host = &place->instance->host;
    const struct span interfaces = value_of(place, "inet_interfaces");
    for (size_t i = 0; i < host->interface_count; i++)
        if (is_used(&host->interfaces[i], interfaces, SPAN("all")))
            append_network(output, &host->interfaces[i], host->interfaces[i].is_ipv6 ? 128 : 32);
}

static struct span compute_networks(const struct conf_place *place)
{
    const struct conf_host *host = &place->instance->host;
    const struct span style = value_of(place, "mynetworks_style");
    const struct span interfaces = value_of(place, "inet_interfaces");
    const struct span protocols = value_of(place, "inet_protocols");
    struct buffer networks;

    buffer_init(&networks, NULL, CONF_EXPAND_MAX_BYTES);
    for (size_t i = 0; i < host->interface_count; i++)
        if (is_used(&host->interfaces[i], interfaces, protocols))
            append_network(&networks, &host->interfaces[i],
                           choose_prefix(&host->interfaces[i], style));
    const struct span copy = arena_copy(place->instance->arena, buffer_span(&networks));
    buffer_release(&networks);
    return copy.bytes ? copy : span_empty();
}

bool conf_compute_default(const struct conf_place *place, struct span name,
                          struct conf_definition *definition)
{
    if (span_equals(name, SPAN("myhostname")))
        definition->text = compute_hostname(place);
    else if (span_equals(name, SPAN("mydomain")))
        definition->text = compute_domain(place);
    else if (span_equals(name, SPAN("mynetworks")))
        definition->text = compute_networks(place);
    else
        return false;
    definition->is_literal = true;
    return true;
}
