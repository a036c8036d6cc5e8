/* dsn/template - the words of reports: header fields and a text, one set for each kind of report.
 * Operators write their own in the file bounce_template_file, whose format is Postfix's:
 *
 *   failure_template = <<EOF
 *   Charset: us-ascii
 *   From: MAILER-DAEMON (Mail Delivery System)
 *   Subject: Undelivered Mail Returned to Sender
 *   Postmaster-Subject: Postmaster Copy: Undelivered Mail
 *
 *   Text with $name ...
 *   EOF
 *
 * Interface: dsn_templates_*(). Pure; $name in texts is the caller's to replace.
 * Callers: lib/conf (reads the file), bounce. Manual: man/posthouse-bounce.5. */
#ifndef DSN_TEMPLATE_H
#define DSN_TEMPLATE_H

#include "base/buffer.h"
#include "base/parse.h"
#include "dsn/report.h"

enum {
    DSN_TEMPLATES_MAX_BYTES = 32768,  /* the file */
    DSN_TEMPLATE_LINE_MAX_BYTES = 998 /* RFC 5322 section 2.1.1 */
};

struct dsn_templates {
    struct dsn_template of[DSN_KIND_COUNT];
};

struct dsn_template_error {
    size_t line; /* from 1 */
    const char *reason;
};

/* Ours, with $name in the texts. */
void dsn_templates_default(struct dsn_templates *templates);
/* "failure_template" */
const char *dsn_template_name(enum dsn_kind kind);

/* Takes what a file's text gives in place of what is there; a field that a template leaves out is
 * the default's. Everything points into the text. On failure *templates is untouched, and *error
 * says in which line what is wrong. */
MUST_USE enum parse_result dsn_templates_parse(struct span text, struct dsn_templates *templates,
                                               struct dsn_template_error *error);

/* All templates as such a file. */
void dsn_templates_append(const struct dsn_templates *templates, struct buffer *out);

#endif
