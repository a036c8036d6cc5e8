/* dnsd/resolver - see resolver.h. */
#include "resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <stdlib.h>

#include "system/random.h"

enum {
    /* So many at a time, a millisecond apart: the answers to a burst must fit the resolver's
     * socket buffer and ours. */
    BURST = 64,
    PACE_MS = 1,
    TICK_MS = 100, /* how exact the timeouts of c-ares are while a query is in flight */
    SOCKET_BUFFER_BYTES = 1 << 18,
    /* A 64 KB answer, as names in full: more than that is too much. */
    ANSWER_ARENA_BYTES = 1 << 20,
    FOLLOWED_MAX = 8, /* questions, each for the target of one alias or more */
    ID_COUNT = 1 << 16
};

struct resolver_query {
    struct list_link link; /* waiting to be sent */
    struct resolver *resolver;
    struct dns_question question;
    void (*done)(void *context, const struct dns_answer *answer);
    void *context;
    uint16_t id;
    bool is_without_edns;
    /* Of the aliases that were followed by questions of their own. */
    unsigned followed_count;
    uint32_t ttl_s;
    bool is_authenticated;
};

/* A socket of c-ares and our registration of it. */
struct resolver_socket {
    struct list_link link;
    struct event event;
    struct resolver *resolver;
    ares_socket_t descriptor;
};

struct resolver {
    struct loop *loop;
    ares_channel channel;
    struct list sockets;
    struct list waiting;
    size_t in_flight_count;
    struct loop_hook send_hook;
    struct loop_timer pace;
    struct loop_timer tick;
    struct arena arena; /* the answer that is being handed over */
    bool is_being_destroyed;
    bool trusts_servers; /* that an answer is authentic */
    uint8_t ids_in_use[ID_COUNT / 8];
};

/* An id that none of our queries in flight has, by chance: an attacker who can guess it needs
 * only the port. */
static uint16_t take_id(struct resolver *resolver)
{
    for (;;) {
        const uint32_t id = random_below(ID_COUNT);
        const uint8_t bit = (uint8_t)(1u << (id % 8));
        if (resolver->ids_in_use[id / 8] & bit)
            continue; /* at most RESOLVER_IN_FLIGHT_MAX of 65536 */
        resolver->ids_in_use[id / 8] |= bit;
        return (uint16_t)id;
    }
}

static void give_id(struct resolver *resolver, uint16_t id)
{
    resolver->ids_in_use[id / 8] &= (uint8_t) ~(1u << (id % 8));
}

static enum dns_failure failure_of(int ares_status)
{
    switch (ares_status) {
    case ARES_ETIMEOUT:
        return DNS_FAILURE_TIMEOUT;
    case ARES_ENOMEM:
        return DNS_FAILURE_RESOURCES;
    case ARES_EBADRESP:
        return DNS_FAILURE_MALFORMED;
    default: /* no server is reachable, or each of several said that it cannot help */
        return DNS_FAILURE_SERVER;
    }
}

static void ask_again(struct resolver *resolver, struct resolver_query *query)
{
    list_prepend(&resolver->waiting, &query->link);
    loop_hook_request(resolver->loop, &resolver->send_hook);
}

/* An answer may give an alias and leave its target to the asker (RFC 1034 section 4.3.2 step 3a
 * makes servers go on, but not all can). True when the target is asked for; else the answer holds
 * what is known of all of them. */
static bool follow_alias(struct resolver_query *query, struct dns_answer *answer)
{
    if (answer->status == DNS_TEMPORARY)
        return false;
    if (answer->ttl_s < query->ttl_s)
        query->ttl_s = answer->ttl_s;
    query->is_authenticated &= answer->is_authenticated;
    answer->ttl_s = query->ttl_s;
    answer->is_authenticated = query->is_authenticated;
    if (!answer->has_open_end)
        return false;
    if (query->followed_count++ < FOLLOWED_MAX &&
        dns_name_from_text(answer->canonical_name, &query->question.name) == PARSE_OK)
        return true;
    *answer = dns_answer_failed(DNS_FAILURE_CHAIN);
    return false;
}

static void on_answer(void *argument, int ares_status, int timeout_count, unsigned char *bytes,
                      int length)
{
    struct resolver_query *query = argument;
    struct resolver *resolver = query->resolver;
    struct dns_answer answer;

    (void)timeout_count;
    give_id(resolver, query->id);
    resolver->in_flight_count--;
    if (resolver->is_being_destroyed) {
        free(query);
        return;
    }
    if (!list_is_empty(&resolver->waiting)) /* there is room again */
        loop_hook_request(resolver->loop, &resolver->send_hook);
    if (ares_status == ARES_SUCCESS && bytes && length > 0)
        dns_answer_parse(span_of(bytes, (size_t)length), &query->question, &resolver->arena,
                         &answer);
    else
        answer = dns_answer_failed(failure_of(ares_status));
    if (answer.failure == DNS_FAILURE_FORMAT && !query->is_without_edns) {
        /* RFC 6891 section 7: a server that does not know EDNS gets the question without. */
        query->is_without_edns = true;
        ask_again(resolver, query);
    } else if (follow_alias(query, &answer)) {
        ask_again(resolver, query);
    } else {
        query->done(query->context, &answer);
        free(query);
    }
    arena_reset(&resolver->arena);
}

static void send_query(struct resolver *resolver, struct resolver_query *query)
{
    struct buffer message;
    struct arena arena;
    arena_init(&arena, 2 * DNS_QUERY_MAX_BYTES, 0);
    buffer_init(&message, &arena, DNS_QUERY_MAX_BYTES);
    query->id = take_id(resolver);
    resolver->in_flight_count++;
    dns_query_encode(query->id, &query->question,
                     query->is_without_edns ? DNS_QUERY_WITHOUT_EDNS : DNS_QUERY_AUTHENTIC_DATA,
                     &message);
    if (buffer_ok(&message))
        ares_send(resolver->channel, message.bytes, (int)message.length, on_answer, query);
    else
        on_answer(query, ARES_ENOMEM, 0, NULL, 0);
    arena_destroy(&arena);
}

static void send_burst(void *context)
{
    struct resolver *resolver = context;
    for (size_t count = 0; count < BURST && resolver->in_flight_count < RESOLVER_IN_FLIGHT_MAX &&
                           !list_is_empty(&resolver->waiting);
         count++)
        send_query(resolver, LIST_ITEM(list_pop(&resolver->waiting), struct resolver_query, link));
    if (!list_is_empty(&resolver->waiting) && resolver->in_flight_count < RESOLVER_IN_FLIGHT_MAX)
        loop_timer_set(&resolver->pace, clock_deadline_after(PACE_MS));
    if (resolver->in_flight_count > 0 && resolver->tick.deadline_ms == CLOCK_NEVER)
        loop_timer_set(&resolver->tick, clock_deadline_after(TICK_MS));
}

static void send_first_burst(struct loop_hook *hook)
{
    struct resolver *resolver = CONTAINER_OF(hook, struct resolver, send_hook);
    if (resolver->pace.deadline_ms == CLOCK_NEVER)
        send_burst(resolver);
}

static void on_tick(void *context)
{
    struct resolver *resolver = context;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (resolver->in_flight_count > 0)
        loop_timer_set(&resolver->tick, clock_deadline_after(TICK_MS));
}

static void on_socket_event(evutil_socket_t descriptor, short events, void *context)
{
    struct resolver *resolver = context;
    ares_process_fd(resolver->channel, events & EV_READ ? descriptor : ARES_SOCKET_BAD,
                    events & EV_WRITE ? descriptor : ARES_SOCKET_BAD);
}

static struct resolver_socket *find_socket(struct resolver *resolver, ares_socket_t descriptor)
{
    LIST_FOR_EACH (&resolver->sockets, link) {
        struct resolver_socket *found = LIST_ITEM(link, struct resolver_socket, link);
        if (found->descriptor == descriptor)
            return found;
    }
    return NULL;
}

/* c-ares says what it waits for on a socket; nothing means that it is about to close it. */
static void on_socket_state(void *context, ares_socket_t descriptor, int is_reading, int is_writing)
{
    struct resolver *resolver = context;
    struct resolver_socket *known = find_socket(resolver, descriptor);
    if (known)
        (void)event_del(&known->event); /* fails only for an event that was never initialised */
    if (!is_reading && !is_writing) {
        if (known) {
            list_remove(&resolver->sockets, &known->link);
            free(known);
        }
        return;
    }
    if (!known) {
        known = calloc(1, sizeof(*known));
        if (!known)
            return; /* its queries time out */
        known->resolver = resolver;
        known->descriptor = descriptor;
        list_append(&resolver->sockets, &known->link);
    }
    const short events =
        (short)(EV_PERSIST | (is_reading ? EV_READ : 0) | (is_writing ? EV_WRITE : 0));
    if (event_assign(&known->event, loop_event_base(resolver->loop), descriptor, events,
                     on_socket_event, resolver) == 0)
        (void)event_add(&known->event, NULL); /* failing, its queries time out */
}

static bool set_servers(struct resolver *resolver, const struct dns_servers *servers)
{
    struct ares_addr_port_node nodes[DNS_SERVERS_MAX];
    ASSERT(servers->count > 0 && servers->count <= DNS_SERVERS_MAX);
    for (size_t i = 0; i < servers->count; i++) {
        const struct dns_server *server = &servers->list[i];
        nodes[i] = (struct ares_addr_port_node){
            .next = i + 1 < servers->count ? &nodes[i + 1] : NULL,
            .family = server->address_length == 4 ? AF_INET : AF_INET6,
            .udp_port = server->port,
            .tcp_port = server->port,
        };
        memcpy(&nodes[i].addr, server->address, server->address_length);
    }
    return ares_set_servers_ports(resolver->channel, nodes) == ARES_SUCCESS;
}

/* The resolver's own file is kept out, so that what dnsd/servers read is all there is. */
static bool open_channel(struct resolver *resolver, const struct dns_servers *servers)
{
    char nothing[] = "/dev/null", order[] = "b";
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
        .timeout = (int)servers->timeout_ms,
        .tries = (int)servers->attempts,
        .socket_send_buffer_size = SOCKET_BUFFER_BYTES,
        .socket_receive_buffer_size = SOCKET_BUFFER_BYTES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
        .ednspsz = DNS_EDNS_PAYLOAD_BYTES,
        .resolvconf_path = nothing,
        .lookups = order,
    };
    const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_SNDBUF |
                     ARES_OPT_SOCK_RCVBUF | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ |
                     ARES_OPT_RESOLVCONF | ARES_OPT_LOOKUPS |
                     (servers->is_rotating ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
    /* A single server's refusal is the answer; of several the next one is asked, and c-ares does
     * not tell what the last one said. */
    if (servers->count == 1)
        options.flags |= ARES_FLAG_NOCHECKRESP;
    return ares_init_options(&resolver->channel, &options, mask) == ARES_SUCCESS;
}

struct resolver *resolver_create(struct loop *loop, const struct dns_servers *servers)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return NULL;
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver)
        goto failed;
    resolver->loop = loop;
    resolver->trusts_servers = servers->is_trusted;
    resolver->send_hook.run = send_first_burst;
    list_init(&resolver->sockets);
    list_init(&resolver->waiting);
    loop_timer_init(&resolver->pace, loop, send_burst, resolver);
    loop_timer_init(&resolver->tick, loop, on_tick, resolver);
    arena_init(&resolver->arena, ANSWER_ARENA_BYTES, 0);
    if (!open_channel(resolver, servers))
        goto failed;
    if (set_servers(resolver, servers))
        return resolver;
    ares_destroy(resolver->channel);
failed:
    free(resolver);
    ares_library_cleanup();
    return NULL;
}

void resolver_destroy(struct resolver **resolver_pointer)
{
    struct resolver *resolver = *resolver_pointer;
    if (!resolver)
        return;
    *resolver_pointer = NULL;
    resolver->is_being_destroyed = true;
    loop_hook_cancel(resolver->loop, &resolver->send_hook);
    ares_destroy(resolver->channel); /* ends every query, and closes every socket */
    while (!list_is_empty(&resolver->waiting))
        free(LIST_ITEM(list_pop(&resolver->waiting), struct resolver_query, link));
    loop_timer_release(&resolver->pace);
    loop_timer_release(&resolver->tick);
    arena_destroy(&resolver->arena);
    free(resolver);
    ares_library_cleanup();
}

bool resolver_ask(struct resolver *resolver, const struct dns_question *question,
                  void (*done)(void *context, const struct dns_answer *answer), void *context)
{
    if (resolver->waiting.count >= RESOLVER_WAITING_MAX)
        return false;
    struct resolver_query *query = calloc(1, sizeof(*query));
    if (!query)
        return false;
    query->resolver = resolver;
    query->question = *question;
    query->done = done;
    query->context = context;
    query->ttl_s = DNS_TTL_MAX_S;
    query->is_authenticated = resolver->trusts_servers;
    list_append(&resolver->waiting, &query->link);
    loop_hook_request(resolver->loop, &resolver->send_hook);
    return true;
}
