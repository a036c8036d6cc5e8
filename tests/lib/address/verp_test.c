/* tests/lib/address - verp: delimiters, and the sender of each recipient. */
#include "../../test.h"

#include "address/verp.h"

#include "address/mailbox.h"

enum { SCRATCH_BYTES = 16384 };

static void test_delimiters(void **state)
{
    static const struct {
        const char *name, *delimiters, *filter;
        bool is_valid;
    } rows[] = {
        {"the usual", "+=", "-=+", true},
        {"twice the same", "--", "-=+", true},
        {"none", "", "-=+", false},
        {"one", "+", "-=+", false},
        {"three", "+=+", "-=+", false},
        {"not the first", "a=", "-=+", false},
        {"not the second", "+a", "-=+", false},
        {"of no filter", "+=", "", false},
        {"letters, if that is wished", "xy", "xyz", true},
        {"a space", "+ ", "-=+ ", false},
        {"a byte of more", "+\xc3", "+\xc3\xa9", false},
        {"a control character", "+\x01", "+\x01", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (verp_delimiters_are_valid(span_from_string(rows[i].delimiters),
                                      span_from_string(rows[i].filter)) != rows[i].is_valid)
            fail_msg("%s", rows[i].name);
}

static void test_sender(void **state)
{
    static const struct {
        const char *name, *reverse_path, *recipient, *delimiters, *expected;
    } rows[] = {
        {"as in the manual", "list@here.test", "user@far.test",
         "+=", "list+user=far.test@here.test"},
        {"others", "list@here.test", "user@far.test", "-=", "list-user=far.test@here.test"},
        {"no domain", "list@here.test", "user", "+=", "list+user@here.test"},
        {"a sender without one", "list", "user@far.test", "+=", "list+user=far.test"},
        {"an extension each", "list+x@here.test", "user+y@far.test",
         "+=", "list+x+user+y=far.test@here.test"},
        {"delimiters inside", "a=b@here.test", "c=d@far.test", "+=", "a=b+c=d=far.test@here.test"},
        {"letters stay as they are", "List@Here.test", "User.Name@FAR.test",
         "+=", "List+User.Name=FAR.test@Here.test"},
        {"a space", "list@here.test", "\"a b\"@far.test", "+=", "\"list+a b=far.test\"@here.test"},
        {"an at sign", "list@here.test", "\"a@b\"@far.test",
         "+=", "\"list+a@b=far.test\"@here.test"},
        {"a quote", "list@here.test", "\"a\\\"b\\\\\"@far.test",
         "+=", "\"list+a\\\"b\\\\=far.test\"@here.test"},
        {"quotes that need not be", "list@here.test", "\"a\"@far.test",
         "+=", "list+a=far.test@here.test"},
        {"an empty local part", "list@here.test", "\"\"@far.test",
         "+=", "list+=far.test@here.test"},
        {"a sender in quotes", "\"my list\"@here.test", "a@far.test",
         "+=", "\"my list+a=far.test\"@here.test"},
        {"a dot at the end, which is none any more", "\"list.\"@here.test", "a@far.test",
         "+=", "list.+a=far.test@here.test"},
        {"two dots", "\"list..x\"@here.test", "a@far.test",
         "+=", "\"list..x+a=far.test\"@here.test"},
        {"a literal", "list@here.test", "x@[127.0.0.1]", "+=", "\"list+x=[127.0.0.1]\"@here.test"},
        {"a sender's literal", "list@[127.0.0.1]", "x@far.test",
         "+=", "list+x=far.test@[127.0.0.1]"},
        {"more than ASCII", "list@here.test",
         "\xc3\xa9lan@b\xc3\xbc"
         "cher.test",
         "-=",
         "list-\xc3\xa9lan=b\xc3\xbc"
         "cher.test@here.test"},
        {"no address", "list@here.test", "a b@c d", "+=", "\"list+a b=c d\"@here.test"},
        {"no name", "list@here.test", "@far.test", "+=", "list+=far.test@here.test"},
        {"a percent sign", "list@here.test", "a%far.test@here.test",
         "+=", "list+a%far.test=here.test@here.test"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        arena_init(&arena, SCRATCH_BYTES, 0);
        assert_span_is(rows[i].name,
                       verp_sender(span_from_string(rows[i].reverse_path),
                                   span_from_string(rows[i].recipient),
                                   span_from_string(rows[i].delimiters), &arena),
                       rows[i].expected);
        arena_destroy(&arena);
    }
}

/* Whatever two texts are put together: an address again, or nothing. */
static void test_lengths(void **state)
{
    static uint8_t name[ADDRESS_MAX_BYTES], quoted[ADDRESS_MAX_BYTES];
    const size_t others = 4; /* "l", "+" and "@h" */
    (void)state;
    memset(name, 'a', sizeof(name));
    memset(quoted, ' ', sizeof(quoted));
    for (size_t length = 0; length <= sizeof(name); length++) {
        struct arena arena;
        arena_init(&arena, SCRATCH_BYTES, 0);
        const struct span plain =
            verp_sender(SPAN("l@h"), span_of(name, length), SPAN("+="), &arena);
        assert_int_equal(plain.bytes != NULL, length + others <= ADDRESS_MAX_BYTES);
        assert_int_equal(plain.length, plain.bytes ? length + others : 0);
        const struct span with_quotes =
            verp_sender(SPAN("l@h"), span_of(quoted, length), SPAN("+="), &arena);
        const size_t expected = length + others + (length ? 2 : 0);
        assert_int_equal(with_quotes.bytes != NULL, expected <= ADDRESS_MAX_BYTES);
        arena_destroy(&arena);
    }
}

/* A prefix of the recipient is no other's sender, and a full arena gives none. */
static void test_byte_by_byte(void **state)
{
    const struct span recipient = SPAN("\"us\\\"er \"+x@far.test");
    (void)state;
    for (size_t length = 0; length <= recipient.length; length++) {
        struct arena arena;
        struct mailbox mailbox;
        arena_init(&arena, SCRATCH_BYTES, 0);
        const struct span sender =
            verp_sender(SPAN("list@here.test"), span_first(recipient, length), SPAN("+="), &arena);
        assert_non_null(sender.bytes);
        assert_int_equal(mailbox_parse(sender, ADDRESS_LENIENT, &arena, &mailbox), PARSE_OK);
        assert_span_is("domain", mailbox.domain, "here.test");
        arena_destroy(&arena);
        for (size_t bytes = 1; bytes < 64; bytes++) {
            arena_init(&arena, bytes, 0);
            const struct span tight = verp_sender(
                SPAN("list@here.test"), span_first(recipient, length), SPAN("+="), &arena);
            if (tight.bytes)
                assert_true(span_equals(tight, sender) || tight.length > 0);
            arena_destroy(&arena);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_byte_by_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
