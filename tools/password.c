/* tools/password - see password.h. Asks nobody and reads no configuration. Manual: man/posthouse.8.
 */
#include "password.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/number.h"
#include "password/scheme.h"
#include "system/random.h"

enum { LINE_MAX_BYTES = PASSWORD_MAX_BYTES + 2, USAGE_STATUS = 2 };

static int usage(void)
{
    (void)fprintf(stderr, "usage: posthouse password [-s scheme] [-r cost]\n"
                          "       posthouse password -t stored [-s default-scheme]\n"
                          "       posthouse password -l\n");
    return USAGE_STATUS;
}

/* One line, not shown while it is typed. False at the end of the input, or for a line that is too
 * long. */
static bool read_line(const char *prompt, char line[LINE_MAX_BYTES], struct span *password)
{
    const bool is_terminal = isatty(STDIN_FILENO) == 1;
    struct termios usual, silent;
    const bool is_hidden = is_terminal && tcgetattr(STDIN_FILENO, &usual) == 0;
    if (is_terminal)
        (void)fprintf(stderr, "%s: ", prompt);
    if (is_hidden) {
        silent = usual;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    const bool is_read = fgets(line, LINE_MAX_BYTES, stdin) != NULL;
    if (is_hidden) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
        (void)fputc('\n', stderr);
    }
    if (!is_read)
        return false;
    size_t length = strlen(line);
    if (length > 0 && line[length - 1] == '\n')
        length--;
    else if (length == LINE_MAX_BYTES - 1)
        return false;
    *password = span_of(line, length);
    return length > 0;
}

static int fail(const char *text)
{
    (void)fprintf(stderr, "posthouse: %s\n", text);
    return EXIT_FAILURE;
}

static int make(const char *scheme, uint32_t cost)
{
    char first[LINE_MAX_BYTES], second[LINE_MAX_BYTES];
    struct span password, again;
    uint8_t random[PASSWORD_RANDOM_BYTES];
    struct buffer stored;
    if (!read_line("Password", first, &password))
        return fail("no password, or one that is too long");
    /* Whoever types cannot see what is typed. */
    if (isatty(STDIN_FILENO) == 1 &&
        (!read_line("Once more", second, &again) || !span_equals(password, again)))
        return fail("these are two passwords");
    random_bytes(random, sizeof(random));
    buffer_init(&stored, NULL, PASSWORD_STORED_MAX_BYTES);
    const bool is_made = password_make(span_from_string(scheme), cost, password, random, &stored) &&
                         buffer_ok(&stored);
    OPENSSL_cleanse(first, sizeof(first));
    OPENSSL_cleanse(second, sizeof(second));
    if (is_made)
        (void)printf("%.*s\n", SPAN_PRINTF(buffer_span(&stored)));
    buffer_release(&stored);
    return is_made ? EXIT_SUCCESS
                   : fail("no such scheme (posthouse password -l lists them), or it has no such "
                          "cost");
}

static int try_one(const char *stored, const char *default_scheme)
{
    char line[LINE_MAX_BYTES];
    struct span password;
    if (!read_line("Password", line, &password))
        return fail("no password, or one that is too long");
    const enum password_result result = password_verify(
        span_from_string(stored), span_from_string(default_scheme), span_empty(), password);
    OPENSSL_cleanse(line, sizeof(line));
    if (result == PASSWORD_UNUSABLE)
        return fail("the stored password cannot be used: its scheme is unknown or its form wrong");
    (void)printf("%s\n", result == PASSWORD_MATCHES ? "yes" : "no");
    return result == PASSWORD_MATCHES ? EXIT_SUCCESS : EXIT_FAILURE;
}

int password_command(int argc, char **argv)
{
    const char *scheme = NULL, *stored = NULL;
    uint64_t cost = 0;
    bool lists = false;
    optind = 1;
    for (int option; (option = getopt(argc, argv, "lr:s:t:")) != -1;) {
        if (option == 'l')
            lists = true;
        else if (option == 's')
            scheme = optarg;
        else if (option == 't')
            stored = optarg;
        else if (option != 'r' || !number_parse_uint64(span_from_string(optarg), UINT32_MAX, &cost))
            return usage();
    }
    if (optind != argc || (lists && (scheme || stored)) || (stored && cost))
        return usage();
    if (stored)
        return try_one(stored, scheme ? scheme : "CRYPT");
    if (!lists)
        return make(scheme ? scheme : "YESCRYPT", (uint32_t)cost);
    for (size_t i = 0; password_scheme_name(i); i++)
        (void)printf("%s\n", password_scheme_name(i));
    return EXIT_SUCCESS;
}
