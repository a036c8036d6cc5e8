/* addr/recent - see recent.h. */
#include "addr/recent.h"

#include <string.h>

#include "ipc/codec.h"

enum { ENTRY_BYTES = 16 << 10 /* of a question and its answer, a few addresses */ };

/* In its own arena, as all that it points to. */
struct entry {
    struct map_node node;
    struct list_link link;
    struct arena arena;
    int64_t asked_ms;
    struct ipc_addr_check_recipient_reply reply;
};

void addr_recent_init(struct addr_recent *recent, const uint8_t seed[16])
{
    map_init(&recent->map, seed);
    list_init(&recent->entries);
}

static void drop(struct addr_recent *recent, struct entry *entry)
{
    struct arena arena = entry->arena;
    map_remove(&recent->map, &entry->node);
    list_remove(&recent->entries, &entry->link);
    arena_destroy(&arena);
}

/* In the order of the answers, which need not be that of the questions. */
static struct entry *oldest(const struct addr_recent *recent)
{
    return LIST_ITEM(list_first(&recent->entries), struct entry, link);
}

static bool is_old(const struct entry *entry, int64_t now_ms)
{
    return now_ms - entry->asked_ms >= ADDR_RECENT_AGE_MS;
}

static void drop_old(struct addr_recent *recent, int64_t now_ms)
{
    for (struct entry *entry;
         (entry = oldest(recent)) != NULL &&
         (recent->entries.count > ADDR_RECENT_ENTRIES_MAX || is_old(entry, now_ms));)
        drop(recent, entry);
}

void addr_recent_forget(struct addr_recent *recent)
{
    for (struct entry *entry; (entry = oldest(recent)) != NULL;)
        drop(recent, entry);
}

/* An answer is to all that was asked. NULL bytes at the arena's cap. */
static struct span make_key(const struct ipc_addr_check_recipient *question, struct arena *arena)
{
    const struct {
        uint32_t flags;
        uint32_t recipient_length;
    } head = {question->flags, (uint32_t)question->recipient.length};
    const size_t length = sizeof(head) + question->recipient.length + question->sender.length;
    uint8_t *key = arena_alloc(arena, length);
    if (!key)
        return (struct span){NULL, 0};
    memcpy(key, &head, sizeof(head));
    memcpy(key + sizeof(head), question->recipient.bytes, question->recipient.length);
    memcpy(key + length - question->sender.length, question->sender.bytes, question->sender.length);
    return span_of(key, length);
}

static bool is_plain_good_news(const struct ipc_addr_check_recipient_reply *reply)
{
    return outcome_is_ok(&reply->outcome) && outcome_is_ok(&reply->sender_outcome) &&
           reply->total == 0 && reply->recipients.length == 0;
}

void addr_recent_keep(struct addr_recent *recent, const struct ipc_addr_check_recipient *question,
                      const struct ipc_addr_check_recipient_reply *reply, int64_t asked_ms)
{
    struct arena arena;
    if (!is_plain_good_news(reply))
        return;
    arena_init(&arena, ENTRY_BYTES, 0);
    struct entry *entry = arena_alloc(&arena, sizeof(*entry));
    const struct span key = make_key(question, &arena);
    if (!entry || !key.bytes)
        goto dropped;
    *entry = (struct entry){.node.key = key, .asked_ms = asked_ms, .reply = *reply};
    if (!ipc_copy_spans(IPC_ADDR_CHECK_RECIPIENT_REPLY, &entry->reply, &arena))
        goto dropped;
    struct map_node *old = map_find(&recent->map, key);
    if (old)
        drop(recent, CONTAINER_OF(old, struct entry, node));
    if (!map_insert(&recent->map, &entry->node))
        goto dropped;
    entry->arena = arena;
    list_append(&recent->entries, &entry->link);
    drop_old(recent, asked_ms);
    return;
dropped:
    arena_destroy(&arena);
}

const struct ipc_addr_check_recipient_reply *
addr_recent_find(struct addr_recent *recent, const struct ipc_addr_check_recipient *question,
                 int64_t now_ms, struct arena *scratch)
{
    drop_old(recent, now_ms);
    const struct span key =
        list_is_empty(&recent->entries) ? (struct span){NULL, 0} : make_key(question, scratch);
    struct map_node *node = key.bytes ? map_find(&recent->map, key) : NULL;
    const struct entry *entry = node ? CONTAINER_OF(node, struct entry, node) : NULL;
    return entry && !is_old(entry, now_ms) ? &entry->reply : NULL;
}
