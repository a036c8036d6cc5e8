/* tests/addrd - whom recipients stand for, and how addresses are rewritten, over inline tables. */
#include "../test.h"

#include <stdio.h>

#include "../../addrd/expander.h"
#include "../../addrd/rewriter.h"
#include "conf/instance.h"

static const char main_cf[] = "myhostname = mail.example.org\n"
                              "mydomain = example.org\n"
                              "myorigin = $mydomain\n"
                              "mydestination = $myhostname, localhost, $mydomain\n"
                              "recipient_delimiter = +\n"
                              "alias_maps =\n"
                              "local_recipient_maps =\n";

static struct arena settings_arena;
static char last_report[2048];

static void keep_report(void *context, struct span reason)
{
    (void)context;
    (void)snprintf(last_report, sizeof(last_report), "%.*s", SPAN_PRINTF(reason));
}

static void open_resolver(struct resolver *resolver, const char *more)
{
    struct conf_error error;
    static struct conf_addrd settings;
    static char text[65536];

    (void)snprintf(text, sizeof(text), "%s%s\n", main_cf, more);
    arena_reset(&settings_arena);
    arena_init(&settings_arena, 8 << 20, 0);
    if (!conf_test_settings(&conf_part_addrd, text, &settings_arena, &settings, &error))
        fail_msg("%s", error.text);
    *resolver = (struct resolver){.settings = &settings, .report = keep_report};
    assert_true(addr_tables_open(&resolver->tables, &settings, NULL));
    last_report[0] = '\0';
}

/* The addresses with blanks between them, a copy with its original as "copy<original"; a changed
 * sender first, as "sender="; or "CODE d.s.n REASON". */
static void print_expansion(const struct expansion *expansion, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    if (!outcome_is_ok(&expansion->outcome)) {
        (void)snprintf(out, size, "%u %u.%u.%u %.*s", expansion->outcome.reply_code,
                       expansion->outcome.status.class, expansion->outcome.status.subject,
                       expansion->outcome.status.detail, SPAN_PRINTF(expansion->outcome.reason));
        return;
    }
    if (expansion->sender.length)
        length = (size_t)snprintf(out, size, "sender=%.*s", SPAN_PRINTF(expansion->sender));
    for (size_t i = 0; i < expansion->count && length < size; i++) {
        const struct expanded *expanded = &expansion->all[i];
        length += (size_t)snprintf(out + length, size - length, "%s%.*s%s%.*s", length ? " " : "",
                                   SPAN_PRINTF(expanded->address), expanded->is_copy ? "<" : "",
                                   SPAN_PRINTF(expanded->original));
    }
}

struct expansion_case {
    const char *name;
    const char *settings;
    const char *recipient;
    const char *expected;
};

#define LONG_USER                                                                                  \
    "a-name-as-long-as-this-one-which-fits-into-a-local-part-but-not-with-another-one-of-its-kind" \
    "-and-so-on-until-there-are-more-than-a-hundred-and-twenty-eight-characters"
#define MAP "virtual_alias_maps = inline:"
#define LATER "451 4.3.0 Temporary lookup failure"
#define UNREASONABLE "451 4.6.0 Alias expansion error"

static const struct expansion_case expansions[] = {
    {"nothing to expand", "", "bob@example.org", "bob@example.org"},
    {"completed", "", "bob", "bob@example.org"},
    {"one to one", MAP "{a@x.example=b@y.example}", "a@x.example", "b@y.example"},
    {"case of the key", MAP "{a@x.example=b@y.example}", "A@X.Example", "b@y.example"},
    {"a list", MAP "{ {a@x.example=b, c@y.example  d} }", "a@x.example",
     "b@example.org c@y.example d@example.org"},
    {"recursive", MAP "{ {a@x.example=b, c}, {b=d}, {d@example.org=e@f.example}}", "a@x.example",
     "e@f.example c@example.org"},
    {"user alone, where local", MAP "{bob=x@y.example}", "bob@example.org", "x@y.example"},
    {"user alone, elsewhere", MAP "{bob=x@y.example}", "bob@other.example", "bob@other.example"},
    {"domain", MAP "{@x.example=all@y.example}", "a@x.example", "all@y.example"},
    {"domain is last", MAP "{@example.org=all@y.example, bob=x@y.example}", "bob@example.org",
     "x@y.example"},
    {"domain to domain", MAP "{@x.example=@y.example}", "a+b@x.example", "a+b@y.example"},
    {"extension by itself", MAP "{a+b@x.example=c@y.example, a@x.example=d}", "a+b@x.example",
     "c@y.example"},
    {"extension kept", MAP "{a@x.example=c@y.example}", "a+b@x.example", "c+b@y.example"},
    {"extension kept in a list", MAP "{ {a@x.example=c@y.example, d} }", "a+b@x.example",
     "c+b@y.example d+b@example.org"},
    {"extension dropped", MAP "{a@x.example=c@y.example}\npropagate_unmatched_extensions =",
     "a+b@x.example", "c@y.example"},
    {"extension that makes it no address", MAP "{ {a@x.example=c, d@y.example} }",
     "a+far!x@x.example", "c@example.org d+far!x@y.example"},
    {"extension that makes it too long", MAP "{a@x.example=" LONG_USER "@y.example}",
     "a+" LONG_USER "@x.example", LONG_USER "@y.example"},
    {"extension of a user", MAP "{bob=c@y.example}", "bob+x@example.org", "c+x@y.example"},
    {"identity", MAP "{a@x.example=a@x.example}", "a@x.example", "a@x.example"},
    {"identity and a copy", MAP "{ {a@x.example=a@x.example, b} }", "a@x.example",
     "a@x.example b@example.org"},
    {"identity in another case", MAP "{ {a@x.example=A@X.example b} }", "a@x.example",
     "A@X.example b@example.org"},
    {"each names the other", MAP "{ {a@x.example=a@x.example, b}, {b=a@x.example, b} }",
     "a@x.example", "a@x.example b@example.org"},
    {"duplicates", MAP "{ {a@x.example=b, c, B, c@example.org} }", "a@x.example",
     "b@example.org c@example.org"},
    {"quoted", MAP "{ {\"a b\"@x.example=\"c d\"@y.example} }", "\"a b\"@x.example",
     "\"c d\"@y.example"},
    {"loop", MAP "{a@x.example=b@x.example, b@x.example=a@x.example}", "a@x.example", UNREASONABLE},
    {"loop that grows", MAP "{ {a@x.example=a+y@x.example, b} }", "a@x.example", UNREASONABLE},
    {"too many", MAP "{ {a@x.example=b c d} }\nvirtual_alias_expansion_limit = 2", "a@x.example",
     UNREASONABLE},
    {"just enough", MAP "{ {a@x.example=b c} }\nvirtual_alias_expansion_limit = 2", "a@x.example",
     "b@example.org c@example.org"},
    {"too deep", MAP "{a=b, b=c, c=d}\nvirtual_alias_recursion_limit = 2", "a", UNREASONABLE},
    {"deep enough", MAP "{a=b, b=c, c=d}\nvirtual_alias_recursion_limit = 4", "a", "d@example.org"},
    {"too long", MAP "{a=bbbbbbbbbbbbbbbb}\nvirtual_alias_address_length_limit = 20", "a",
     UNREASONABLE},
    {"a table that fails", MAP "{b=c} fail:x", "a@x.example", LATER},
    {"a table that fails on the way",
     "virtual_alias_maps = inline:{ {b@x.example=c,d} } "
     "pipemap:{inline:{c=c,c@example.org=c},fail:x}",
     "b@x.example", LATER},
    {"a value that is no address", MAP "{ {a@x.example=b, c@d..e..} }", "a@x.example", LATER},
    {"canonical first",
     "canonical_maps = inline:{a@x.example=b@x.example}\n" MAP
     "{b@x.example=c@x.example, a@x.example=never}",
     "a@x.example", "c@x.example"},
    {"canonical once", "canonical_maps = inline:{a@x.example=b@x.example, b@x.example=c@x.example}",
     "a@x.example", "b@x.example"},
    {"canonical, for others",
     "canonical_maps = inline:{a@x.example=b@x.example}\n"
     "canonical_classes = envelope_sender",
     "a@x.example", "a@x.example"},
    {"recipient_canonical first",
     "canonical_maps = inline:{b@x.example=c@x.example,a@x.example=d@x.example}\n"
     "recipient_canonical_maps = inline:{a@x.example=b@x.example}\n",
     "a@x.example", "c@x.example"},
    {"sender_canonical", "sender_canonical_maps = inline:{s@out.example=sam@in.example}",
     "a@x.example", "sender=sam@in.example a@x.example"},
    {"masquerading",
     "masquerade_domains = out.example, example.org\n"
     "masquerade_classes = envelope_sender, envelope_recipient",
     "a@b.c.example.org", "a@example.org"},
    {"masquerading, sender only", "masquerade_domains = example", "a@b.example",
     "sender=s@example a@b.example"},
    {"always_bcc", "always_bcc = archive", "a@x.example",
     "a@x.example archive@example.org<archive@example.org"},
    {"always_bcc is expanded", "always_bcc = archive\n" MAP "{archive=one@y.example}",
     "a@x.example", "a@x.example one@y.example<archive@example.org"},
    {"sender_bcc_maps", "sender_bcc_maps = inline:{@out.example=b}", "a@x.example",
     "a@x.example b@example.org<b@example.org"},
    {"recipient_bcc_maps",
     "recipient_bcc_maps = inline:{a@x.example=b, c@x.example=d}\n" MAP "{a@x.example=c@x.example}",
     "a@x.example", "c@x.example b@example.org<b@example.org"},
    {"a copy that fails", "sender_bcc_maps = fail:x", "a@x.example", LATER},
    {"a bad recipient", "", "a@b..c..", "501 5.1.3 Bad recipient address syntax"},
};

static void test_expansions(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(expansions); i++) {
        const struct expansion_case *row = &expansions[i];
        struct resolver resolver;
        struct expansion expansion;
        struct arena arena;
        char actual[1024];

        open_resolver(&resolver, row->settings);
        arena_init(&arena, EXPANDER_ARENA_BYTES, 0);
        expander_expand_named(&resolver, span_from_string(row->recipient), SPAN("s@out.example"),
                              ADDR_EXPAND_FIRST | ADDR_EXPAND_COPIES, &arena, &expansion);
        print_expansion(&expansion, actual, sizeof(actual));
        if (strcmp(actual, row->expected) != 0)
            fail_msg("%s: got \"%s\", expected \"%s\" (%s)", row->name, actual, row->expected,
                     last_report);
        if (expansion.outcome.kind == OUTCOME_TEMPORARY)
            assert_string_not_equal(last_report, "");
        arena_destroy(&arena);
        addr_tables_close(&resolver.tables);
    }
}

/* A table that cannot be asked, a memory that is short: never a part of a list. */
static void test_little_memory(void **state)
{
    struct resolver resolver;

    (void)state;
    open_resolver(&resolver, MAP "{ {a@x.example=b, c, d, e, f, g, h, i, j, k} }\n"
                                 "canonical_maps = inline:{z=z}\nalways_bcc = x");
    for (size_t size = 0; size < 65536; size += 64) {
        struct expansion expansion;
        struct arena arena;

        arena_init(&arena, size, 0);
        expander_expand_named(&resolver, SPAN("a@x.example"), SPAN("s@out.example"),
                              ADDR_EXPAND_FIRST | ADDR_EXPAND_COPIES, &arena, &expansion);
        if (expansion.outcome.kind == OUTCOME_PERMANENT ||
            (outcome_is_ok(&expansion.outcome) && expansion.count != 11))
            fail_msg("%zu: %zu recipients", size, expansion.count);
        arena_destroy(&arena);
    }
    addr_tables_close(&resolver.tables);
}

static const struct {
    const char *name;
    const char *settings;
    enum addr_rewriting kind;
    const char *address;
    const char *expected; /* NULL: a temporary failure */
} rewritings[] = {
    {"completed", "", ADDR_REWRITE_HEADER_SENDER, "bob", "bob@example.org"},
    {"completed, bang", "", ADDR_REWRITE_HEADER_RECIPIENT, "a!b", "b@a"},
    {"completed, percent", "append_dot_mydomain = yes", ADDR_REWRITE_HEADER_RECIPIENT, "a%b",
     "a@b.example.org"},
    {"remote", "remote_header_rewrite_domain = domain.invalid", ADDR_REWRITE_REMOTE_SENDER, "bob",
     "bob@domain.invalid"},
    {"canonical", "canonical_maps = inline:{bob=Bob.Brown}", ADDR_REWRITE_HEADER_SENDER,
     "bob+x@example.org", "Bob.Brown+x@example.org"},
    {"canonical, not this class",
     "canonical_maps = inline:{bob=Bob.Brown}\ncanonical_classes = envelope_sender",
     ADDR_REWRITE_HEADER_SENDER, "bob@example.org", "bob@example.org"},
    {"masquerading", "masquerade_domains = example.org", ADDR_REWRITE_HEADER_RECIPIENT,
     "bob@host.example.org", "bob@example.org"},
    {"masquerading, exception",
     "masquerade_domains = example.org\nmasquerade_exceptions = root, bob",
     ADDR_REWRITE_ENVELOPE_SENDER, "bob@host.example.org", "bob@host.example.org"},
    {"masquerading, left alone", "masquerade_domains = !x.example.org example.org",
     ADDR_REWRITE_ENVELOPE_SENDER, "bob@a.x.example.org", "bob@a.x.example.org"},
    {"masquerading, case", "masquerade_domains = A.B.C,B.C", ADDR_REWRITE_ENVELOPE_SENDER,
     "xxx@AA.a.B.c", "xxx@a.b.c"},
    {"masquerading, no part of a label", "masquerade_domains = b.c", ADDR_REWRITE_ENVELOPE_SENDER,
     "x@ab.c", "x@ab.c"},
    {"masquerading, exceptions fail",
     "masquerade_domains = example.org\nmasquerade_exceptions = fail:x",
     ADDR_REWRITE_ENVELOPE_SENDER, "bob@host.example.org", NULL},
    {"generic", "smtp_generic_maps = inline:{bob@host.local=bob@isp.example}", ADDR_REWRITE_GENERIC,
     "bob@host.local", "bob@isp.example"},
    {"generic, extension",
     "smtp_generic_maps = inline:{bob@host.local=bob@isp.example}\n"
     "propagate_unmatched_extensions = generic",
     ADDR_REWRITE_GENERIC, "bob+x@host.local", "bob+x@isp.example"},
    {"generic, domain", "smtp_generic_maps = inline:{@host.local=@isp.example}",
     ADDR_REWRITE_GENERIC, "bob@host.local", "bob@isp.example"},
    {"generic, others", "smtp_generic_maps = inline:{@host.local=@isp.example}",
     ADDR_REWRITE_LMTP_GENERIC, "bob@host.local", "bob@host.local"},
    {"generic leaves what is not complete", "", ADDR_REWRITE_GENERIC, "bob", "bob"},
    {"the null address", "canonical_maps = inline:{@=x}", ADDR_REWRITE_ENVELOPE_SENDER, "", ""},
    {"no address", "", ADDR_REWRITE_HEADER_SENDER, "a b@@c", "a b@@c"},
    {"a table that fails", "smtp_generic_maps = fail:x", ADDR_REWRITE_GENERIC, "a@b", NULL},
};

static void test_rewriting(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rewritings); i++) {
        struct resolver resolver;
        struct arena arena;
        struct span rewritten;

        open_resolver(&resolver, rewritings[i].settings);
        arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
        const struct outcome outcome =
            rewriter_rewrite(&resolver, rewritings[i].kind, span_from_string(rewritings[i].address),
                             &arena, &rewritten);
        if (rewritings[i].expected)
            assert_span_is(rewritings[i].name, rewritten, rewritings[i].expected);
        if (outcome.kind != (rewritings[i].expected ? OUTCOME_OK : OUTCOME_TEMPORARY))
            fail_msg("%s: %.*s", rewritings[i].name, SPAN_PRINTF(outcome.reason));
        arena_destroy(&arena);
        addr_tables_close(&resolver.tables);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansions),
        cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_rewriting),
    };
    const int result = cmocka_run_group_tests_name("addrd/expander", tests, NULL, NULL);
    arena_destroy(&settings_arena);
    return result;
}
