/* tools/sendmail - the command that every program sends mail with; by the names mailq and
 * newaliases what these do. man/sendmail.1 Has no rights of its own: postdrop stores, postqueue
 * asks. Options, messages and exit status are Postfix's. */
#include "sendmail.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address/verp.h"
#include "base/ascii.h"
#include "tool_say.h"

enum { ENVID_MAX_BYTES = 100 };

enum mode {
    MODE_SUBMIT,
    MODE_QUEUE,   /* -bp */
    MODE_ALIASES, /* -bi */
    MODE_DAEMON,  /* -bd */
    MODE_SESSION, /* -bs */
    MODE_FLUSH,   /* -q */
    MODE_NOTHING  /* -bh, -bH: a cache that there is none of */
};

struct options {
    enum mode mode;
    const char *site, *queue_id; /* of -qR and -qI */
    const char *alias_database;  /* -oA */
    unsigned verbosity;
};

static struct tool_voice voice = {.logged = "sendmail"};

void sendmail_die(int status, const char *format, ...)
{
    va_list arguments;
    voice.directory = conf_directory(NULL);
    va_start(arguments, format);
    tool_say_list(&voice, LOG_LEVEL_FATAL, format, arguments);
    va_end(arguments);
    exit(status);
}

void sendmail_die_for_user(int status, const char *reason)
{
    const struct passwd *user = getpwuid(getuid());
    sendmail_die(status, "%s(%u): %s", user ? user->pw_name : "unknown", (unsigned)getuid(),
                 reason);
}

void sendmail_warn(const char *format, ...)
{
    va_list arguments;
    voice.directory = conf_directory(NULL);
    va_start(arguments, format);
    tool_say_list(&voice, LOG_LEVEL_WARNING, format, arguments);
    va_end(arguments);
}

/* -C: a directory, or main.cf in one. */
static void set_directory(const char *path)
{
    struct stat facts;
    struct span directory = span_from_string(path);
    char *value = NULL;
    if (stat(path, &facts) == 0 && !S_ISDIR(facts.st_mode)) {
        const size_t slash = span_find_last_byte(directory, '/');
        directory =
            slash == directory.length ? SPAN(".") : span_first(directory, slash ? slash : 1);
    }
    if (asprintf(&value, "%.*s", SPAN_PRINTF(directory)) < 0 ||
        setenv("MAIL_CONFIG", value, 1) != 0)
        sendmail_die(EX_OSERR, "out of memory");
    free(value);
}

static void choose_mode(struct sendmail *sendmail, struct options *options, const char *argument)
{
    switch (argument[0]) {
    case 'd':
    case 'l':
        options->mode = MODE_DAEMON;
        break;
    case 'h':
    case 'H':
        options->mode = MODE_NOTHING;
        break;
    case 'i':
        options->mode = MODE_ALIASES;
        break;
    case 'm':
        options->mode = MODE_SUBMIT;
        break;
    case 'p':
        options->mode = MODE_QUEUE;
        break;
    case 's':
        options->mode = MODE_SESSION;
        break;
    case 'v':
        options->mode = MODE_SUBMIT;
        sendmail->header.flags |= DROP_FLAG_VERIFY_ONLY;
        break;
    default:
        sendmail_die(EX_USAGE, "unsupported: -b%s", argument);
    }
}

/* RFC 3461 section 4.1. A report that cannot be had is no reason not to send the mail; so with -R
 * and -V. */
static void set_notify(struct sendmail *sendmail, const char *argument)
{
    static const struct {
        struct span word;
        uint8_t notify;
    } words[] = {
        {SPAN_LITERAL("never"), QUEUE_NOTIFY_NEVER},
        {SPAN_LITERAL("success"), QUEUE_NOTIFY_SUCCESS},
        {SPAN_LITERAL("failure"), QUEUE_NOTIFY_FAILURE},
        {SPAN_LITERAL("delay"), QUEUE_NOTIFY_DELAY},
    };
    struct span rest = span_from_string(argument), word;
    sendmail->notify = 0;
    while (span_next_word(&rest, ", \t", &word)) {
        uint8_t notify = 0;
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
            if (span_equals_ascii_nocase(word, words[i].word))
                notify = words[i].notify;
        sendmail->notify |= notify;
        if (!notify)
            sendmail->notify = UINT8_MAX;
    }
    if (sendmail->notify == 0 || sendmail->notify > QUEUE_NOTIFY_ALL ||
        ((sendmail->notify & QUEUE_NOTIFY_NEVER) && sendmail->notify != QUEUE_NOTIFY_NEVER)) {
        sendmail_warn("bad -N option value -- ignored");
        sendmail->notify = 0;
    }
}

static void set_return(struct sendmail *sendmail, const char *argument)
{
    const struct span word = span_from_string(argument);
    if (span_equals_ascii_nocase(word, SPAN("full")))
        sendmail->header.ret = QUEUE_RETURN_FULL;
    else if (span_equals_ascii_nocase(word, SPAN("hdrs")))
        sendmail->header.ret = QUEUE_RETURN_HEADERS;
    else
        sendmail_warn("bad -R option value -- ignored");
}

/* Whatever else has a value is an option of Sendmail's that says nothing here. */
static void set_long_option(struct sendmail *sendmail, const char *argument)
{
    static const struct {
        struct span name;
        uint32_t flag;
    } names[] = {{SPAN_LITERAL("requiretls"), DROP_FLAG_REQUIRETLS},
                 {SPAN_LITERAL("smtputf8"), DROP_FLAG_SMTPUTF8}};
    struct span name, value;
    (void)span_split_once(span_from_string(argument), '=', &name, &value);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (!span_equals_ascii_nocase(name, names[i].name))
            continue;
        if (span_equals_ascii_nocase(value, SPAN("yes")))
            sendmail->header.flags |= names[i].flag;
        else if (span_equals_ascii_nocase(value, SPAN("no")))
            sendmail->header.flags &= ~names[i].flag;
        else
            sendmail_die(EX_USAGE, "bad -O option value: specify %.*s=yes or %.*s=no",
                         SPAN_PRINTF(name), SPAN_PRINTF(name));
    }
}

static void set_short_option(struct sendmail *sendmail, struct options *options,
                             const char *argument)
{
    if (argument[0] == 'A' && !argument[1])
        sendmail_die(EX_USAGE, "-oA requires pathname");
    if (argument[0] == 'A')
        options->alias_database = argument + 1;
    else if (strcmp(argument, "i") == 0)
        sendmail->dot_is_text = true;
}

static void set_flush(struct options *options, const char *argument)
{
    switch (argument[0]) {
    case 'R':
        options->site = argument + 1;
        break;
    case 'I':
        options->queue_id = argument + 1;
        break;
    default:
        if (argument[0] < '0' || argument[0] > '9')
            sendmail_die(EX_USAGE, "-q%c is not implemented", argument[0]);
        /* How often the daemon of Sendmail is to look: queue_run_delay says that. */
        if (options->mode == MODE_SUBMIT)
            options->mode = MODE_DAEMON;
        return;
    }
    if (!argument[1])
        sendmail_die(EX_USAGE, "specify: -q%s", argument[0] == 'R' ? "Rsitename" : "Iqueueid");
}

/* xtext (RFC 3461 section 4). NULL: it is longer than SMTP lets it be (section 4.4). */
static const char *encode_envid(struct sendmail *sendmail, const char *text)
{
    struct buffer encoded;
    buffer_init(&encoded, &sendmail->arena, ENVID_MAX_BYTES + 1);
    for (const char *at = text; *at && buffer_ok(&encoded); at++) {
        const uint8_t byte = (uint8_t)*at;
        if (byte < '!' || byte > '~' || byte == '+' || byte == '=')
            buffer_append_format(&encoded, "+%02X", byte);
        else
            buffer_append_byte(&encoded, byte);
    }
    buffer_append_byte(&encoded, 0);
    if (buffer_ok(&encoded))
        return (const char *)encoded.bytes;
    sendmail_warn("too long -V option value -- ignored");
    return NULL;
}

static void set_body_type(struct sendmail *sendmail, const char *argument)
{
    const struct span type = span_from_string(argument);
    if (span_equals_ascii_nocase(type, SPAN("8BITMIME")))
        sendmail->header.flags |= DROP_FLAG_BODY_8BITMIME;
    else if (!span_equals_ascii_nocase(type, SPAN("7BIT")))
        sendmail_die(EX_USAGE, "-B option needs 8BITMIME or 7BIT");
}

static NORETURN void usage(void)
{
    sendmail_die(EX_USAGE, "usage: %s [options]", voice.shown);
}

static void set_option(struct sendmail *sendmail, struct options *options, int option)
{
    switch (option) {
    case 'B':
        set_body_type(sendmail, optarg);
        break;
    case 'C':
        set_directory(optarg);
        break;
    case 'F':
        sendmail->full_name = optarg;
        break;
    case 'I':
        options->mode = MODE_ALIASES;
        break;
    case 'N':
        set_notify(sendmail, optarg);
        break;
    case 'O':
        set_long_option(sendmail, optarg);
        break;
    case 'R':
        set_return(sendmail, optarg);
        break;
    case 'V':
        sendmail->envid = encode_envid(sendmail, optarg);
        break;
    case 'b':
        choose_mode(sendmail, options, optarg);
        break;
    case 'f':
    case 'r':
        sendmail->sender_argument = optarg;
        break;
    case 'i':
        sendmail->dot_is_text = true;
        break;
    case 'o':
        set_short_option(sendmail, options, optarg);
        break;
    case 'q':
        set_flush(options, optarg);
        break;
    case 't':
        sendmail->extracts_recipients = true;
        break;
    case 'v':
        options->verbosity++;
        break;
    case '?':
        usage();
    case 'X': /* anything else would be a file for a log */
        if (optarg[0] == 'V')
            sendmail->verp = optarg + 1;
        break;
    default: /* -A -G -L -U -c -e -h -m -n -p -x: Sendmail's, with nothing to do here */
        break;
    }
}

/* -V was what -XV is now, and is told by its length from an ENVID as Postfix tells it. */
static void replace_old_verp(char **argument)
{
    static char verp[] = "-XV";
    if (strcmp(argument[0], "-V") == 0 && argument[1] && strlen(argument[1]) == 2) {
        sendmail_warn("option -V is deprecated with Postfix 2.3; specify -XV instead");
        argument[0] = verp;
    } else if (strncmp(argument[0], "-V", 2) == 0 && strlen(argument[0]) == 4) {
        char *replaced = NULL;
        sendmail_warn("option %s is deprecated with Postfix 2.3; specify -X%s instead", argument[0],
                      argument[0] + 1);
        if (asprintf(&replaced, "-X%s", argument[0] + 1) < 0)
            sendmail_die(EX_OSERR, "out of memory");
        argument[0] = replaced; /* to the end, as all arguments */
    }
}

/* "-q" and "-XV" alone have no value, which getopt() cannot know. */
static void read_options(struct sendmail *sendmail, struct options *options, int argc, char **argv)
{
    const bool has_short_c = options->mode != MODE_SUBMIT; /* mailq -c, newaliases -c */
    const char *known = has_short_c ? "+A:B:C:F:GIL:N:O:R:UV:X:b:c:e:f:h:imno:p:r:q:tvx"
                                    : "+A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q:tvx";
    while (optind < argc) {
        if (strcmp(argv[optind], "-q") == 0) {
            options->mode = MODE_FLUSH;
            optind++;
            continue;
        }
        replace_old_verp(argv + optind);
        if (strcmp(argv[optind], "-XV") == 0) {
            sendmail->verp = NULL;
            sendmail->wants_usual_verp = true;
            optind++;
            continue;
        }
        const int option = getopt(argc, argv, known);
        if (option == -1)
            break;
        if (option == 'c' && has_short_c)
            set_directory(optarg);
        else
            set_option(sendmail, options, option);
    }
}

static enum mode mode_of_name(const char *name)
{
    return strcmp(name, "mailq") == 0        ? MODE_QUEUE
           : strcmp(name, "newaliases") == 0 ? MODE_ALIASES
                                             : MODE_SUBMIT;
}

/* What contradicts itself is not guessed at. */
static void check(const struct sendmail *sendmail, struct options *options)
{
    static const char *const names[] = {
        [MODE_QUEUE] = "display queue", [MODE_ALIASES] = "alias initialization",
        [MODE_DAEMON] = "daemon",       [MODE_SESSION] = "stand-alone",
        [MODE_FLUSH] = "flush queue",
    };
    const bool is_probe = sendmail->header.flags & DROP_FLAG_VERIFY_ONLY;
    if (sendmail->extracts_recipients && options->mode != MODE_SUBMIT)
        sendmail_die(EX_USAGE, "-t can be used only in delivery mode");
    if (options->site && options->mode != MODE_SUBMIT)
        sendmail_die(EX_USAGE, "-qR can be used only in delivery mode");
    if (options->queue_id && options->mode != MODE_SUBMIT)
        sendmail_die(EX_USAGE, "-qI can be used only in delivery mode");
    if (options->site || options->queue_id)
        options->mode = MODE_FLUSH;
    if (is_probe && sendmail->extracts_recipients)
        sendmail_die(EX_USAGE, "-t option cannot be used with -bv");
    if (is_probe && sendmail->notify)
        sendmail_die(EX_USAGE, "-N option cannot be used with -bv");
    if (is_probe && sendmail->header.ret != QUEUE_RETURN_UNSPECIFIED)
        sendmail_die(EX_USAGE, "-R option cannot be used with -bv");
    if (is_probe && options->verbosity == 1)
        sendmail_die(EX_USAGE, "-v option cannot be used with -bv");
    if (options->mode < ARRAY_LENGTH(names) && names[options->mode] && sendmail->recipients[0])
        sendmail_die(EX_USAGE, "%s mode requires no recipient", names[options->mode]);
}

/* Delimiters, where VERP is wanted; those of the configuration are the operator's own matter. */
static void take_verp(struct sendmail *sendmail)
{
    const struct conf_tools *settings = &sendmail->settings;
    if (sendmail->verp) {
        sendmail->header.verp_delimiters = span_from_string(sendmail->verp);
        if (!verp_delimiters_are_valid(sendmail->header.verp_delimiters,
                                       settings->verp_delimiter_filter))
            sendmail_die(EX_TEMPFAIL, "-V requires two characters from %.*s",
                         SPAN_PRINTF(settings->verp_delimiter_filter));
    } else if (sendmail->wants_usual_verp) {
        sendmail->header.verp_delimiters = settings->default_verp_delimiters;
    }
}

static int run(struct sendmail *sendmail, const struct options *options)
{
    const char *const queue[] = {"-c", sendmail->directory, "-p", NULL};
    const char *const flush[] = {"-c", sendmail->directory,
                                 options->site       ? "-s"
                                 : options->queue_id ? "-i"
                                                     : "-f",
                                 options->site ? options->site : options->queue_id, NULL};
    const char *const aliases[] = {"-c", sendmail->directory, NULL};
    const char *const one_alias[] = {"-c", sendmail->directory, options->alias_database, NULL};
    const char *const start[] = {"-c", sendmail->directory, "start", NULL};
    switch (options->mode) {
    case MODE_QUEUE:
        sendmail_exec(sendmail, "postqueue", "mailq", queue);
    case MODE_FLUSH:
        sendmail_exec(sendmail, "postqueue", "postqueue", flush);
    case MODE_ALIASES:
        if (options->alias_database)
            sendmail_exec(sendmail, "postalias", "postalias", one_alias);
        sendmail_exec(sendmail, "postalias", "newaliases", aliases);
    case MODE_DAEMON:
        sendmail_exec(sendmail, "posthouse", "posthouse", start);
    case MODE_SESSION:
        return sendmail_session(sendmail);
    case MODE_NOTHING:
        return EX_OK;
    case MODE_SUBMIT:
        break;
    }
    return sendmail_submit(sendmail);
}

int main(int argc, char **argv)
{
    static struct sendmail sendmail;
    static struct arena arena;
    struct options options = {.mode = MODE_SUBMIT};
    int descriptor;
    voice.shown = tool_name(argv, "sendmail");
    options.mode = mode_of_name(voice.shown);
    do
        descriptor = open("/dev/null", O_RDWR);
    while (descriptor >= 0 && descriptor <= STDERR_FILENO);
    (void)close(descriptor);
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    arena_init(&sendmail.arena, CONF_INSTANCE_ARENA_BYTES, 0);
    read_options(&sendmail, &options, argc, argv);
    sendmail.recipients = argv + optind;
    sendmail.directory = conf_directory(NULL);
    check(&sendmail, &options);
    /* Once it asks for a report on the delivery; more often it is for debugging. */
    if (options.verbosity == 1 && options.mode == MODE_SUBMIT)
        sendmail.header.flags |= DROP_FLAG_SEND_REPORT;
    if (!tool_load(voice.shown, NULL, &conf_part_tools, &arena, &sendmail.settings))
        return EX_CONFIG;
    take_verp(&sendmail);
    return run(&sendmail, &options);
}
