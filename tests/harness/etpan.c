/* tests/harness/etpan - hands in a message as programs do that are built on libetpan (Claws Mail,
 * Mailspring and others of MailCore): over TLS and with one SASL mechanism, whose client is Cyrus
 * SASL's, or with a token.
 * Usage: etpan starttls|tls PORT CERTIFICATE MECHANISM USER SECRET SENDER RECIPIENT... <MESSAGE
 * The server is at 127.0.0.1 and has to show exactly CERTIFICATE (DER). Ends with 0 when the
 * message was accepted, with 2 when the login was refused, otherwise with 1; standard error has the
 * server's last words. Built and called by tests/harness/etpan.py. */
#include <libetpan/libetpan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_S = 30,
    FILE_MAX_BYTES = 64 * 1024,
    EXIT_LOGIN_REFUSED = 2,
};

static const char server_address[] = "127.0.0.1";
static const char server_name[] = "localhost";

struct content {
    size_t length;
    char bytes[FILE_MAX_BYTES];
};

static struct content certificate;
static struct content message;

static void complain(const mailsmtp *session, const char *step, int result)
{
    fprintf(stderr, "%s: %s (%d), after: %d %s\n", step, mailsmtp_strerror(result), result,
            session->response_code, session->response ? session->response : "nothing");
}

static int read_all(FILE *file, struct content *content)
{
    content->length = file ? fread(content->bytes, 1, FILE_MAX_BYTES, file) : 0;
    return content->length > 0 && content->length < FILE_MAX_BYTES;
}

/* The library leaves this to its callers. */
static int is_server_known(const mailsmtp *session)
{
    carray *chain = mailstream_get_certificate_chain(session->stream);
    int is_known = 0;

    if (chain && carray_count(chain) > 0) {
        const MMAPString *shown = carray_get(chain, 0);
        is_known = shown->len == certificate.length &&
                   memcmp(shown->str, certificate.bytes, certificate.length) == 0;
    }
    if (chain)
        mailstream_certificate_chain_free(chain);
    return is_known;
}

static int open_session(mailsmtp *session, const char *how, uint16_t port)
{
    const int is_wrapped = strcmp(how, "tls") == 0;
    int result = is_wrapped ? mailsmtp_ssl_connect(session, server_address, port)
                            : mailsmtp_socket_connect(session, server_address, port);

    if (result == MAILSMTP_NO_ERROR && !is_wrapped) {
        result = mailesmtp_ehlo(session);
        if (result == MAILSMTP_NO_ERROR)
            result = mailsmtp_socket_starttls(session);
    }
    if (result == MAILSMTP_NO_ERROR && !is_server_known(session))
        result = MAILSMTP_ERROR_SSL;
    return result == MAILSMTP_NO_ERROR ? mailesmtp_ehlo(session) : result;
}

/* The identity to act as is named, too, as programs on this library do. */
static int log_in(mailsmtp *session, const char *mechanism, const char *user, const char *secret)
{
    if (strcmp(mechanism, "XOAUTH2") == 0)
        return mailsmtp_oauth2_authenticate(session, user, secret);
    return mailesmtp_auth_sasl(session, mechanism, server_name, NULL, NULL, user, user, secret,
                               NULL);
}

static int hand_in(mailsmtp *session, const char *sender, char *const *recipients, int count)
{
    int result = mailesmtp_mail_size(session, sender, 1, "etpan", message.length);

    for (int i = 0; result == MAILSMTP_NO_ERROR && i < count; i++)
        result = mailesmtp_rcpt(session, recipients[i], MAILSMTP_DSN_NOTIFY_FAILURE, NULL);
    if (result == MAILSMTP_NO_ERROR)
        result = mailsmtp_data(session);
    if (result == MAILSMTP_NO_ERROR)
        result = mailsmtp_data_message(session, message.bytes, message.length);
    return result;
}

int main(int argc, char **argv)
{
    FILE *file = NULL;
    mailsmtp *session = NULL;
    int status = EXIT_FAILURE;
    int result;

    if (argc < 9 || !(file = fopen(argv[3], "rb")) || !read_all(file, &certificate) ||
        !read_all(stdin, &message) || !(session = mailsmtp_new(0, NULL))) {
        fprintf(stderr, "etpan: no arguments, certificate, message or memory\n");
        goto done;
    }
    mailsmtp_set_timeout(session, TIMEOUT_S);
    result = open_session(session, argv[1], (uint16_t)strtoul(argv[2], NULL, 10));
    if (result != MAILSMTP_NO_ERROR) {
        complain(session, "connect", result);
        goto done;
    }
    result = log_in(session, argv[4], argv[5], argv[6]);
    if (result != MAILSMTP_NO_ERROR) {
        complain(session, "login", result);
        status = session->response_code == 535 ? EXIT_LOGIN_REFUSED : EXIT_FAILURE;
        goto done;
    }
    result = hand_in(session, argv[7], argv + 8, argc - 8);
    if (result != MAILSMTP_NO_ERROR)
        complain(session, "message", result);
    else
        status = EXIT_SUCCESS;
done:
    if (session)
        mailsmtp_free(session);
    if (file)
        (void)fclose(file);
    return status;
}
