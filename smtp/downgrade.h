/* smtp/downgrade - 8-bit content for a server that takes 7 bits only (RFC 6152 section 3): every
 * part that has bytes above 127 becomes quoted-printable (RFC 2045 section 6.7), and says so.
 * Two passes over the content: the first finds the parts, the second rewrites them and leaves all
 * others as they are, so that their signatures stay good. Header fields are not touched but for
 * Content-Transfer-Encoding, and those that a part without MIME needs. Bytes above 127 in a header,
 * or in a part that claims to be base64 or quoted-printable already, are beyond repair and stay.
 * Pure; the output is the same however the input was split. Callers: smtp/body, the fuzzer. */
#ifndef SMTP_DOWNGRADE_H
#define SMTP_DOWNGRADE_H

#include "base/buffer.h"

enum {
    DOWNGRADE_PARTS_MAX = 4096,        /* further ones share the lot of the last */
    DOWNGRADE_DEPTH_MAX = 20,          /* what is nested deeper is taken for one part */
    DOWNGRADE_BOUNDARY_MAX_BYTES = 70, /* RFC 2046 section 5.1.1 */
    DOWNGRADE_PIECE_BYTES = 1024,
    DOWNGRADE_FIELD_MAX_BYTES = 4096 /* what is looked at of a Content-Type field */
};

enum downgrade_kind { DOWNGRADE_LEAF, DOWNGRADE_MULTIPART, DOWNGRADE_MESSAGE };
enum downgrade_encoding { DOWNGRADE_NOT_SAID, DOWNGRADE_7BIT, DOWNGRADE_8BIT, DOWNGRADE_ENCODED };
enum downgrade_field { DOWNGRADE_OTHER_FIELD, DOWNGRADE_TYPE_FIELD, DOWNGRADE_ENCODING_FIELD };

struct downgrade {
    void (*write)(void *context, struct span bytes); /* NULL: the first pass */
    void *context;
    uint8_t has_8bit[DOWNGRADE_PARTS_MAX / 8];
    size_t part; /* which one, by order of appearance */

    uint8_t piece[DOWNGRADE_PIECE_BYTES]; /* of a line */
    size_t piece_length;
    bool is_within_line; /* the line's beginning has been handled */

    bool is_in_header;
    bool is_message_header; /* of a whole message, not of a part in a multipart */
    bool has_mime_version;
    enum downgrade_field field;
    uint8_t type_field[DOWNGRADE_FIELD_MAX_BYTES];
    size_t type_length;
    uint8_t encoding_field[DOWNGRADE_FIELD_MAX_BYTES]; /* held back until all is known */
    size_t encoding_length;

    bool is_between_parts; /* before the first, after the last */
    bool is_encoding;      /* this part becomes quoted-printable */
    size_t column;
    uint8_t held_space; /* 0: none */

    struct {
        uint8_t boundary[DOWNGRADE_BOUNDARY_MAX_BYTES];
        uint8_t length;
        bool is_digest; /* parts are messages unless they say otherwise */
    } stack[DOWNGRADE_DEPTH_MAX];
    size_t depth;
    size_t message_depth; /* message/rfc822 within message/rfc822 */
};

/* Begins the first pass, over new content. */
void downgrade_start(struct downgrade *downgrade);
/* Begins the second, over the same. */
void downgrade_restart(struct downgrade *downgrade, void (*write)(void *context, struct span bytes),
                       void *context);
/* Content with CRLF line ends. */
void downgrade_add(struct downgrade *downgrade, struct span content);
/* At the end of each pass. */
void downgrade_finish(struct downgrade *downgrade);

#endif
