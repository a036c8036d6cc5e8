/* address/rewrite - see rewrite.h. */
#include "address/rewrite.h"

#include "base/ascii.h"
#include "base/utf8.h"

/* domain + "." + mydomain. */
static struct span append_domain(struct span domain, struct span mydomain, struct arena *arena)
{
    uint8_t *bytes = arena_alloc(arena, domain.length + 1 + mydomain.length);
    if (!bytes)
        return span_of(NULL, 0);
    memcpy(bytes, domain.bytes, domain.length);
    bytes[domain.length] = '.';
    memcpy(bytes + domain.length + 1, mydomain.bytes, mydomain.length);
    return span_of(bytes, domain.length + 1 + mydomain.length);
}

bool address_complete(const struct address_completion *rules, const struct mailbox *mailbox,
                      struct arena *arena, struct mailbox *completed)
{
    struct span local_part = mailbox->local_part;
    struct span domain = mailbox->domain;
    bool has_changed = false;

    if (mailbox_is_null(mailbox)) {
        *completed = *mailbox;
        return true;
    }
    if (domain.length == 0 && rules->allow_percent_hack) {
        const size_t percent = span_find_last_byte(local_part, '%');
        if (percent > 0 && percent + 1 < local_part.length) {
            domain = span_after(local_part, percent + 1);
            local_part = span_first(local_part, percent);
            has_changed = true;
        }
    }
    if (domain.length == 0 && rules->append_at_myorigin && rules->myorigin.length) {
        domain = rules->myorigin;
        has_changed = true;
    }
    if (domain.length && !mailbox->is_address_literal && rules->append_dot_mydomain &&
        rules->mydomain.length && !mailbox->has_final_dot &&
        span_find_byte(domain, '.') == domain.length && !(domain.bytes[0] == '[')) {
        domain = append_domain(domain, rules->mydomain, arena);
        if (!domain.bytes)
            return false;
        has_changed = true;
    }
    if (!has_changed) {
        *completed = *mailbox;
        return true;
    }
    return mailbox_set(completed, local_part, domain, arena);
}

static bool is_never_split(struct span local_part)
{
    return span_equals_ascii_nocase(local_part, SPAN("postmaster")) ||
           span_equals_ascii_nocase(local_part, SPAN("mailer-daemon")) ||
           span_equals_ascii_nocase(local_part, SPAN("double-bounce"));
}

bool address_split_extension(struct span local_part, struct span delimiters,
                             bool has_special_owner_request, struct span *user,
                             struct span *extension)
{
    *user = local_part;
    *extension = span_empty();
    if (delimiters.length == 0 || is_never_split(local_part))
        return false;
    const struct span request = SPAN("-request");
    if (has_special_owner_request && span_find_byte(delimiters, '-') < delimiters.length &&
        (span_starts_with_ascii_nocase(local_part, SPAN("owner-")) ||
         (local_part.length > request.length && span_ends_with_ascii_nocase(local_part, request))))
        return false;
    size_t at = 0;
    while (at < local_part.length &&
           span_find_byte(delimiters, local_part.bytes[at]) == delimiters.length)
        at++;
    if (at == 0 || at == local_part.length)
        return false;
    *user = span_first(local_part, at);
    *extension = span_after(local_part, at + 1);
    return true;
}

struct span address_fold(const struct mailbox *mailbox, bool fold_local_part, struct arena *arena)
{
    const struct span text = mailbox->text;
    uint8_t *bytes = arena_alloc(arena, text.length);
    if (!bytes)
        return span_of(NULL, 0);
    if (text.length)
        memcpy(bytes, text.bytes, text.length);
    const size_t from = fold_local_part ? 0 : text.length - mailbox->domain.length;
    ascii_lower_in_place(bytes + from, text.length - from);
    return span_of(bytes, text.length);
}
