/* sandbox/filter - compile promises into a seccomp program, with libseccomp.
 * Interface: sandbox_filter_create(), sandbox_filter_destroy(). */
#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

static bool rule_is_in_force(const struct sandbox_rule *rule, unsigned promises)
{
    return (rule->promises == 0 || (rule->promises & promises) != 0) &&
           (rule->promises_against & promises) == 0;
}

static bool rule_is_unconditional(const struct sandbox_rule *rule)
{
    return rule->conditions[0].comparison == SANDBOX_ANY;
}

static struct scmp_arg_cmp comparison(const struct sandbox_condition *condition)
{
    if (condition->comparison == SANDBOX_EQUAL)
        return SCMP_CMP(condition->argument, SCMP_CMP_EQ, condition->value, 0);
    return SCMP_CMP(condition->argument, SCMP_CMP_MASKED_EQ, condition->mask, condition->value);
}

static int add_rule(scmp_filter_ctx context, const struct sandbox_rule *rule, int call)
{
    struct scmp_arg_cmp comparisons[SANDBOX_CONDITIONS_MAX];
    unsigned count = 0;
    while (count < SANDBOX_CONDITIONS_MAX && rule->conditions[count].comparison != SANDBOX_ANY) {
        comparisons[count] = comparison(&rule->conditions[count]);
        count++;
    }
    const uint32_t action = rule->verdict == SANDBOX_ALLOW  ? SCMP_ACT_ALLOW
                            : rule->verdict == SANDBOX_KILL ? SCMP_ACT_KILL_PROCESS
                                                            : SCMP_ACT_ERRNO(ENOSYS);
    return seccomp_rule_add_array(context, action, call, count, comparisons);
}

/* A call allowed without conditions needs no further lines: libseccomp would refuse some. */
static bool has_unconditional_rule(const char *call_name, unsigned promises)
{
    for (size_t i = 0; i < sandbox_rule_count; i++)
        if (rule_is_in_force(&sandbox_rules[i], promises) &&
            rule_is_unconditional(&sandbox_rules[i]) &&
            strcmp(sandbox_rules[i].call_name, call_name) == 0)
            return true;
    return false;
}

static bool has_any_rule(const char *call_name, unsigned promises)
{
    for (size_t i = 0; i < sandbox_rule_count; i++)
        if (rule_is_in_force(&sandbox_rules[i], promises) &&
            strcmp(sandbox_rules[i].call_name, call_name) == 0)
            return true;
    return false;
}

static int add_rules(scmp_filter_ctx context, const struct sandbox_filter *filter,
                     unsigned promises)
{
    for (size_t i = 0; i < sandbox_rule_count; i++) {
        const struct sandbox_rule *rule = &sandbox_rules[i];
        const int call = seccomp_syscall_resolve_name(rule->call_name);
        if (call < 0 || !rule_is_in_force(rule, promises))
            continue; /* negative: not on this architecture */
        if (rule->verdict == SANDBOX_KILL && filter->explains_kills)
            continue; /* trapped like everything unknown */
        if (!rule_is_unconditional(rule) && has_unconditional_rule(rule->call_name, promises))
            continue;
        const int result = add_rule(context, rule, call);
        if (result < 0 && result != -EEXIST)
            return result;
    }
    return 0;
}

static int add_forbidden(scmp_filter_ctx context, struct sandbox_filter *filter, unsigned promises)
{
    for (size_t i = 0; i < sandbox_forbidden_call_count; i++) {
        const int call = seccomp_syscall_resolve_name(sandbox_forbidden_calls[i]);
        if (call < 0 || has_any_rule(sandbox_forbidden_calls[i], promises))
            continue;
        if (call < SANDBOX_CALL_COUNT)
            filter->is_forbidden[call] = true;
        const int result =
            filter->explains_kills ? 0 : seccomp_rule_add(context, SCMP_ACT_KILL_PROCESS, call, 0);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Through a memory file, because libseccomp 2.5 writes only to descriptors. */
static int take_program(scmp_filter_ctx context, struct sandbox_filter *filter)
{
    int result = -1;
    const int fd = memfd_create("sandbox-filter", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if ((result = seccomp_export_bpf(context, fd)) < 0)
        goto done;
    const off_t length = lseek(fd, 0, SEEK_END);
    const size_t unit = sizeof(*filter->instructions);
    result = -E2BIG;
    if (length <= 0 || (size_t)length % unit != 0 || (size_t)length / unit > BPF_MAXINSNS)
        goto done;
    result = -ENOMEM;
    if (!(filter->instructions = malloc((size_t)length)))
        goto done;
    result = -EIO;
    if (pread(fd, filter->instructions, (size_t)length, 0) != length)
        goto done;
    filter->instruction_count = (unsigned short)((size_t)length / unit);
    result = 0;
done:
    (void)close(fd); /* nothing to lose in a memory file */
    return result;
}

static void take_names(struct sandbox_filter *filter)
{
    for (int call = 0; call < SANDBOX_CALL_COUNT; call++)
        filter->call_names[call] = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
}

struct sandbox_filter *sandbox_filter_create(unsigned promises, bool explain_kills)
{
    struct sandbox_filter *filter = calloc(1, sizeof(*filter));
    scmp_filter_ctx context = seccomp_init(SCMP_ACT_TRAP);
    int result = -ENOMEM;
    if (!filter || !context)
        goto done;
    filter->explains_kills = explain_kills;
    if ((result = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) < 0)
        goto done;
    /* A binary tree instead of a list, for the calls whose arguments are looked at. */
    if ((result = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2)) < 0)
        goto done;
    if ((result = add_rules(context, filter, promises)) < 0)
        goto done;
    /* To explain a kill it must be caught first: "forbidden" and "unknown" are then one action, the
     * default, and the handler ends the process itself. */
    if (explain_kills) {
        const struct sandbox_rule die = {
            0, 0, SANDBOX_ALLOW, "tgkill", {{SANDBOX_EQUAL, 2, 0, SIGSYS}}};
        if ((result = add_rule(context, &die, SCMP_SYS(tgkill))) < 0)
            goto done;
    }
    if ((result = add_forbidden(context, filter, promises)) < 0)
        goto done;
    if ((result = take_program(context, filter)) < 0)
        goto done;
    take_names(filter);
done:
    if (context)
        seccomp_release(context);
    if (result < 0) {
        sandbox_filter_destroy(&filter);
        errno = -result;
    }
    return filter;
}

void sandbox_filter_destroy(struct sandbox_filter **filter)
{
    struct sandbox_filter *old = *filter;
    *filter = NULL;
    if (!old)
        return;
    for (int call = 0; call < SANDBOX_CALL_COUNT; call++) {
        char *name = NULL; /* libseccomp hands out what is ours to free */
        memcpy(&name, &old->call_names[call], sizeof(name));
        free(name);
    }
    free(old->instructions);
    free(old);
}
