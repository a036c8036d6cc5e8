/* smtp/plan - see plan.h. */
#include "plan.h"

bool plan_target_equals(const struct plan_target *left, const struct plan_target *right)
{
    return left->port == right->port && ip_address_equals(&left->address, &right->address) &&
           left->path.length == right->path.length &&
           (span_is_empty(left->path) || span_equals(left->path, right->path));
}

bool plan_add(struct plan *plan, const struct plan_target *target)
{
    if (plan->count == PLAN_TARGETS_MAX)
        return false;
    plan->targets[plan->count++] = *target;
    return true;
}

static void swap(struct plan_target *left, struct plan_target *right)
{
    const struct plan_target kept = *left;
    *left = *right;
    *right = kept;
}

static bool is_before(const struct plan_target *left, const struct plan_target *right,
                      enum plan_family_preference family_preference)
{
    if (left->preference != right->preference)
        return left->preference < right->preference;
    if (family_preference == PLAN_ANY_FAMILY || left->address.family == right->address.family)
        return false;
    return left->address.family ==
           (family_preference == PLAN_IPV4_FIRST ? IP_FAMILY_4 : IP_FAMILY_6);
}

/* Brings to the front, in their order, as many as will be tried: of each family half, or all that
 * there are where these are fewer. Else a broken IPv6 path would hide every IPv4 address. */
static void balance(struct plan *plan, uint32_t address_limit)
{
    size_t room[2], ipv4_count = 0, front = 0;
    if (address_limit < 2 || plan->count <= address_limit)
        return;
    for (size_t i = 0; i < plan->count; i++)
        ipv4_count += plan->targets[i].address.family == IP_FAMILY_4;
    const bool is_first_ipv4 = plan->targets[0].address.family == IP_FAMILY_4;
    const size_t first_count = is_first_ipv4 ? ipv4_count : plan->count - ipv4_count;
    const size_t other_count = plan->count - first_count;
    const size_t half = address_limit / 2;
    room[1] = other_count < half ? other_count : half; /* of an odd number the first has one more */
    room[0] = first_count < address_limit - room[1] ? first_count : address_limit - room[1];
    room[1] = address_limit - room[0];
    for (size_t i = 0; i < plan->count && front < address_limit; i++) {
        const struct plan_target chosen = plan->targets[i];
        size_t *left = &room[(chosen.address.family == IP_FAMILY_4) != is_first_ipv4];
        if (*left == 0)
            continue;
        --*left;
        memmove(&plan->targets[front + 1], &plan->targets[front],
                (i - front) * sizeof(plan->targets[0]));
        plan->targets[front++] = chosen;
    }
}

void plan_order(struct plan *plan, const struct plan_rules *rules)
{
    if (rules->is_random)
        for (size_t i = plan->count; i > 1; i--)
            swap(&plan->targets[i - 1], &plan->targets[rules->below((uint32_t)i)]);
    /* Insertion keeps the order of equals. */
    for (size_t i = 1; i < plan->count; i++)
        for (size_t j = i;
             j > 0 && is_before(&plan->targets[j], &plan->targets[j - 1], rules->family_preference);
             j--)
            swap(&plan->targets[j], &plan->targets[j - 1]);
    if (rules->is_balanced)
        balance(plan, rules->address_limit);
}

void plan_prefer(struct plan *plan, size_t index)
{
    const struct plan_target first = plan->targets[index];
    memmove(&plan->targets[1], &plan->targets[0], index * sizeof(plan->targets[0]));
    plan->targets[0] = first;
}

enum plan_self plan_cut_at_self(struct plan *plan, const struct ip_address *own, size_t own_count)
{
    bool has_self = false;
    uint16_t self_preference = UINT16_MAX;
    for (size_t i = 0; i < plan->count; i++)
        for (size_t j = 0; j < own_count; j++)
            if (ip_address_equals(&plan->targets[i].address, &own[j]) &&
                plan->targets[i].preference <= self_preference) {
                self_preference = plan->targets[i].preference;
                has_self = true;
            }
    if (!has_self)
        return PLAN_SELF_ABSENT;
    size_t kept_count = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->targets[i].preference < self_preference)
            plan->targets[kept_count++] = plan->targets[i];
    plan->count = kept_count;
    if (kept_count > 0)
        return PLAN_SELF_REMOVED;
    return plan->best_preference < self_preference ? PLAN_SELF_IS_BEST_KNOWN : PLAN_SELF_IS_BEST;
}
