/* tests/lib/smtp/header_cut - what of a long field is kept, whole and byte by byte. */
#include "../../test.h"

#include "smtp/header_cut.h"

enum { LIMIT_BYTES = 16 };

static const struct {
    const char *name;
    const char *header;
    const char *kept;
} rows[] = {
    {"nothing", "", ""},
    {"short ones", "A: 1\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n"},
    {"exactly", "A: 345678901234\r\n", "A: 345678901234\r\n"},
    {"one too many before its end", "A: 3456789012345\r\n", "A: 3456789012345\r\n"},
    {"too long", "A: 34567890123456789\r\nB: 2\r\n", "A: 3456789012345\r\nB: 2\r\n"},
    {"folded", "A: 3\r\n 12345\r\n 123456\r\n 7\r\nB: 2\r\n", "A: 3\r\n 12345\r\n 1\r\nB: 2\r\n"},
    {"whole lines", "A: 345678\r\n 12345\r\n x\r\n\ty\r\nB: 2\r\n",
     "A: 345678\r\n 1234\r\nB: 2\r\n"},
    {"each field for itself", "A: 34567890\r\nB: 34567890\r\nC: 34567890\r\n",
     "A: 34567890\r\nB: 34567890\r\nC: 34567890\r\n"},
    {"a name is kept whole", "ABCDEFGHIJKLMNOPQRST: 1\r\nB: 2\r\n",
     "ABCDEFGHIJKLMNOPQRST:\r\nB: 2\r\n"},
    {"what is no field is kept whole", "abcdefghijklmnopqrstuvwxyz\r\nB: 2\r\n",
     "abcdefghijklmnopqrstuvwxyz\r\nB: 2\r\n"},
    {"without an end", "A: 34567890123456789", "A: 3456789012345"},
    {"the empty line", "A: 34567890123456789\r\n\r\n", "A: 3456789012345\r\n\r\n"},
};

static void check(size_t row, size_t piece_length)
{
    struct smtp_header_cut cut;
    struct buffer kept;
    struct span rest = span_from_string(rows[row].header);
    buffer_init(&kept, NULL, 1000);
    smtp_header_cut_init(&cut, LIMIT_BYTES);
    while (rest.length) {
        const struct span piece = span_first(rest, piece_length);
        smtp_header_cut_append(&cut, piece, &kept);
        rest = span_after(rest, piece.length);
    }
    assert_span_is(rows[row].name, buffer_span(&kept), rows[row].kept);
    if (cut.dropped_bytes != (int64_t)strlen(rows[row].header) - (int64_t)strlen(rows[row].kept))
        fail_msg("%s: dropped %d bytes", rows[row].name, (int)cut.dropped_bytes);
    buffer_release(&kept);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t row = 0; row < ARRAY_LENGTH(rows); row++)
        for (size_t piece_length = 1; piece_length <= 100; piece_length++)
            check(row, piece_length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
