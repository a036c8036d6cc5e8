/* tests/smtp/downgrade - 8-bit parts become quoted-printable, all others stay. */
#include "../test.h"

#include <stdlib.h>

#include "../../smtp/downgrade.h"

static void append(void *context, struct span bytes)
{
    buffer_append_span(context, bytes);
}

/* Both passes, in pieces of step bytes. */
static void convert(struct span content, size_t step, struct buffer *output)
{
    static struct downgrade downgrade;
    buffer_reset(output);
    downgrade_start(&downgrade);
    for (size_t i = 0; i < content.length; i += step)
        downgrade_add(&downgrade, span_first(span_after(content, i), step));
    downgrade_finish(&downgrade);
    downgrade_restart(&downgrade, append, output);
    for (size_t i = 0; i < content.length; i += step)
        downgrade_add(&downgrade, span_first(span_after(content, i), step));
    downgrade_finish(&downgrade);
}

#define X10 "xxxxxxxxxx"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"

static const struct {
    const char *name;
    const char *content;
    const char *expected; /* NULL: the same */
} rows[] = {
    {"ASCII", "Subject: a\r\n\r\nbody = 1 \r\n", NULL},
    {"text",
     "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
     "Content-Transfer-Encoding: 8bit\r\nSubject: a\r\n\r\n\xc3\xa4 = b\r\n",
     "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nSubject: a\r\n" QP
     "\r\n=C3=A4 =3D b\r\n"},
    {"nothing said", "Subject: a\r\n\r\n\xe4\r\n",
     "Subject: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP
     "\r\n=E4\r\n"},
    {"8bit said, but 7 bits", "Content-Transfer-Encoding: 8bit\r\n\r\na\r\n",
     "Content-Transfer-Encoding: 7bit\r\n\r\na\r\n"},
    {"binary, folded, commented",
     "MIME-Version: 1.0\r\ncontent-transfer-encoding:\r\n (yes (really))\r\n\tBinary\r\n"
     "Content-Type: text/plain\r\n\r\n\xe4",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP "\r\n=E4"},
    {"space at line ends",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe4 \r\n\t\r\n a \t",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP "\r\n=E4=20\r\n=09\r\n a =09"},
    {"long lines",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe4" X10 X10 X10 X10 X10 X10 X10
     "yy\r\n" X10 X10 X10 X10 X10 X10 X10 "yyyyy\xe4\r\n",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP "\r\n=E4" X10 X10 X10 X10 X10 X10 X10
     "yy\r\n" X10 X10 X10 X10 X10 X10 X10 "yyyyy=\r\n=E4\r\n"},
    {"no line longer than 76",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe4" X10 X10 X10 X10 X10 X10 X10
     "yyyz\r\n",
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP "\r\n=E4" X10 X10 X10 X10 X10 X10 X10
     "yy=\r\nyz\r\n"},
    {"encoded already", "Content-Transfer-Encoding: base64\r\n\r\nw6Q=\xe4\r\n", NULL},
    {"8 bits in the header", "Subject: \xe4\r\n\r\na\r\n", NULL},
    {"no body", "Subject: a\r\nContent-Transfer-Encoding: 8bit\r\n",
     "Subject: a\r\nContent-Transfer-Encoding: 7bit\r\n"},
    {"no empty line", "MIME-Version: 1.0\r\nContent-Type: a/b\r\nno field \xe4\r\n",
     "MIME-Version: 1.0\r\nContent-Type: a/b\r\n" QP "no field =E4\r\n"},
    {"multipart",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"b b\"\r\n"
     "Content-Transfer-Encoding: 8bit\r\n\r\npreamble \xe4\r\n--b b\r\n"
     "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xe4\r\n--b b\t\r\n\r\n"
     "seven=bits\r\n--b bc\r\n--b b--\r\nepilogue\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"b b\"\r\n"
     "Content-Transfer-Encoding: 7bit\r\n\r\npreamble ?\r\n--b b\r\n"
     "Content-Type: text/plain\r\n" QP "\r\n=E4\r\n--b b\t\r\n\r\n"
     "seven=bits\r\n--b bc\r\n--b b--\r\nepilogue\r\n"},
    {"nested, the inner one not ended",
     "Content-Type: multipart/mixed; boundary=o\r\nMIME-Version: 1.0\r\n\r\n--o\r\n"
     "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\n\xe4\r\n--o\r\n\r\n\xe5\r\n"
     "--i\r\n--o--\r\n",
     "Content-Type: multipart/mixed; boundary=o\r\nMIME-Version: 1.0\r\n\r\n--o\r\n"
     "Content-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n" QP "\r\n=E4\r\n--o\r\n" QP
     "\r\n=E5\r\n--i\r\n--o--\r\n"},
    {"a message in a message",
     "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
     "Subject: inner\r\n\r\n\xe4\r\n",
     "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
     "Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP
     "\r\n=E4\r\n"},
    {"a digest",
     "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n"
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe4\r\n--d--\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n"
     "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP "\r\n=E4\r\n--d--\r\n"},
    {"a part that is a header only",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
     "Content-Transfer-Encoding: 8bit\r\n--b--\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
     "Content-Transfer-Encoding: 7bit\r\n--b--\r\n"},
    {"a multipart without boundary",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n\xe4\r\n",
     "MIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n" QP "\r\n=E4\r\n"},
};

static void test_conversions(void **state)
{
    (void)state;
    struct buffer output;
    buffer_init(&output, NULL, 65536);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span content = span_from_string(rows[i].content);
        for (size_t step = 1; step <= content.length; step = step < 4 ? step + 1 : step * 2) {
            convert(content, step, &output);
            assert_span_is(rows[i].name, buffer_span(&output),
                           rows[i].expected ? rows[i].expected : rows[i].content);
        }
    }
    buffer_release(&output);
}

/* Lines longer than what is held of one, split anywhere. */
static void test_long_lines(void **state)
{
    (void)state;
    struct buffer content, whole, split;
    buffer_init(&content, NULL, 65536);
    buffer_init(&whole, NULL, 1 << 20);
    buffer_init(&split, NULL, 1 << 20);
    buffer_append_string(&content, "Subject: x\r\n\r\n");
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned j = 0; j < DOWNGRADE_PIECE_BYTES - 3 + i; j++)
            buffer_append_byte(&content, j % 7 ? 'a' : 0xe4);
        buffer_append_string(&content, "\r\n");
    }
    convert(buffer_span(&content), content.length, &whole);
    for (size_t step = 1; step < 2000; step += 13) {
        convert(buffer_span(&content), step, &split);
        assert_true(span_equals(buffer_span(&whole), buffer_span(&split)));
    }
    struct span rest = buffer_span(&whole), line;
    size_t line_count = 0;
    while (!span_is_empty(rest)) {
        (void)span_split_once(rest, '\n', &line, &rest);
        assert_true(line.length <= 77);
        assert_true(line.length > 0 && line.bytes[line.length - 1] == '\r');
        line_count++;
    }
    assert_true(line_count > 50);
    buffer_release(&content);
    buffer_release(&whole);
    buffer_release(&split);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
