/* tools/postconf_show - what postconf shows beside parameters and services: the words of reports
 * (-b, -t), ways to lock a mailbox (-l), ways to authenticate (-a, -A), the TLS library (-T). */
#include <openssl/crypto.h>
#include <openssl/opensslv.h>

#include <stdlib.h>

#include "conf/templates.h"
#include "postconf.h"

enum { TEMPLATE_PATH_MAX_BYTES = 4096 };

static void show_templates(struct postconf *postconf, bool is_expanded, char **arguments,
                           size_t argument_count)
{
    struct conf_error error;
    struct buffer path;

    buffer_init(&path, NULL, TEMPLATE_PATH_MAX_BYTES);
    if (argument_count > 1)
        postconf_fatal("options -b and -t require at most one template file");
    if (argument_count == 1)
        buffer_append_string(&path, arguments[0]);
    else if (!conf_instance_value(&postconf->instance, NULL, SPAN("bounce_template_file"), &path,
                                  &error))
        postconf_fatal("%s", error.text);
    if (!conf_templates_render(&postconf->instance, NULL, buffer_span(&path), is_expanded,
                               &postconf->output, &error))
        postconf_fatal("%s", error.text);
    buffer_release(&path);
}

static void show_library(struct postconf *postconf, const char *mode)
{
    if (strcmp(mode, "compile-version") == 0)
        buffer_append_format(&postconf->output, "%s\n", OPENSSL_VERSION_TEXT);
    else if (strcmp(mode, "run-version") == 0)
        buffer_append_format(&postconf->output, "%s\n", OpenSSL_version(OPENSSL_VERSION));
    else if (strcmp(mode, "public-key-algorithms") == 0)
        buffer_append_string(&postconf->output, "dsa\necdsa\nrsa\n");
    else {
        postconf_warn("unknown 'postconf -T' mode: %s", mode);
        exit(1);
    }
}

void postconf_show(struct postconf *postconf, char what, const char *mode, char **arguments,
                   size_t argument_count)
{
    switch (what) {
    case 'b':
    case 't':
        show_templates(postconf, what == 'b', arguments, argument_count);
        break;
    case 'a': /* values of smtpd_sasl_type */
        buffer_append_string(&postconf->output, "dovecot\nposthouse\n");
        break;
    case 'l':
        buffer_append_string(&postconf->output, "flock\nfcntl\ndotlock\n");
        break;
    case 'T':
        show_library(postconf, mode);
        break;
    default: /* A: one, which has no name */
        break;
    }
}
