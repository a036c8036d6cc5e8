/* tools/postcat - show a queue file: envelope, content, state and journal. man/postcat.1
 * Opens the file read-only and asks nobody; a message may move on while it is being read. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "drop_text.h"
#include "queuefile/bucket.h"
#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/state.h"
#include "system/file.h"
#include "tool.h"

enum {
    FILE_ARENA_BYTES = 128 << 20,
    SEARCH_TRIES = 3,
    CHUNK_BYTES = 65536,
    DROP_BEGINNING_BYTES = 32
};

struct options {
    bool shows_envelope, shows_header, shows_body;
    bool shows_offsets, is_verbose, takes_ids;
    uint64_t skip_bytes; /* of the file */
};

struct queue_file {
    const struct options *options;
    const char *name; /* as it is shown */
    int descriptor;
    uint64_t size_bytes;
    struct arena arena;
    struct queue_preamble preamble;
    struct queue_envelope envelope;
    struct span statuses, journal;
};

static void complain(const char *name, const char *reason)
{
    (void)fprintf(stderr, "postcat: fatal: %s: %s\n", name, reason);
}

/* ---- finding ---- */

static int open_at(int queue, const char *directory, const char *id, char **path)
{
    if (asprintf(path, "%s/%s", directory, id) < 0) {
        *path = NULL;
        return -1;
    }
    const int descriptor = openat(queue, *path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) {
        free(*path);
        *path = NULL;
    }
    return descriptor;
}

static int find_deferred(int queue, const char *id, char **path)
{
    const int deferred = openat(queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = deferred >= 0 ? fdopendir(deferred) : NULL;
    int descriptor = -1;
    uint32_t number;
    if (!directory) {
        file_close(deferred);
        return -1;
    }
    for (struct dirent *entry; descriptor < 0 && (entry = readdir(directory)) != NULL;) {
        char name[16 + QUEUE_BUCKET_NAME_BYTES];
        if (!queue_bucket_parse(span_from_string(entry->d_name), &number))
            continue;
        (void)snprintf(name, sizeof(name), "deferred/%.*s", QUEUE_BUCKET_NAME_BYTES, entry->d_name);
        descriptor = open_at(queue, name, id, path);
    }
    (void)closedir(directory);
    return descriptor;
}

static int find(int queue, const char *id, char **path)
{
    static const char *const directories[] = {"new", "hold",     "corrupt",
                                              "tmp", "maildrop", "maildrop/corrupt"};
    int descriptor = -1;
    /* It may be renamed from a place not yet looked at to one that was. */
    for (unsigned try = 0; try < SEARCH_TRIES && descriptor < 0; try++) {
        for (size_t i = 0; i < ARRAY_LENGTH(directories) && descriptor < 0; i++)
            descriptor = open_at(queue, directories[i], id, path);
        if (descriptor < 0)
            descriptor = find_deferred(queue, id, path);
    }
    return descriptor;
}

/* ---- reading ---- */

static bool read_part(struct queue_file *file, uint64_t offset, uint64_t length, struct span *part)
{
    uint8_t *bytes = arena_alloc(&file->arena, (size_t)length);
    if (!bytes || file_pread_all(file->descriptor, bytes, (size_t)length, offset) != 0)
        return false;
    *part = span_of(bytes, (size_t)length);
    return true;
}

/* NULL, or why this is no queue file. */
static const char *read_file(struct queue_file *file)
{
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
    struct stat facts;
    struct span envelope;
    if (fstat(file->descriptor, &facts) != 0 || !S_ISREG(facts.st_mode))
        return "not a regular file";
    file->size_bytes = (uint64_t)facts.st_size;
    const ssize_t count = file_pread_upto(file->descriptor, sector, sizeof(sector), 0);
    if (count < 0)
        return strerror(errno);
    const enum queue_file_result result =
        queue_preamble_decode(span_of(sector, (size_t)count), &file->preamble);
    const struct queue_preamble *preamble = &file->preamble;
    if (result == QUEUE_FILE_ABSENT)
        return "not committed yet: it has no preamble";
    if (result != QUEUE_FILE_OK)
        return queue_file_result_name(result);
    const uint64_t journal_offset = queue_state_journal_offset(preamble);
    if (preamble->envelope_length > QUEUE_ENVELOPE_MAX_BYTES || journal_offset > file->size_bytes ||
        !read_part(file, preamble->envelope_offset, preamble->envelope_length, &envelope) ||
        queue_envelope_decode(envelope, SIZE_MAX, &file->arena, &file->envelope) != PARSE_OK ||
        file->envelope.recipient_count != preamble->recipient_count)
        return "the envelope is damaged";
    if (!read_part(file, preamble->state_offset, preamble->recipient_count, &file->statuses) ||
        !read_part(file, journal_offset, file->size_bytes - journal_offset, &file->journal))
        return "the state cannot be read";
    return NULL;
}

/* ---- writing ---- */

static void put_text(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        (void)putchar(text.bytes[i] >= 0x20 && text.bytes[i] != 0x7f ? text.bytes[i] : '?');
}

static void put_offset(const struct queue_file *file, uint64_t offset)
{
    if (file->options->shows_offsets)
        (void)printf("%9llu ", (unsigned long long)offset);
}

static void put_field(const struct queue_file *file, uint64_t offset, const char *name,
                      struct span value)
{
    put_offset(file, offset);
    (void)printf("%s: ", name);
    put_text(value);
    (void)putchar('\n');
}

static void put_number(const struct queue_file *file, uint64_t offset, const char *name,
                       uint64_t value)
{
    put_offset(file, offset);
    (void)printf("%s: %llu\n", name, (unsigned long long)value);
}

static void put_time(uint64_t time_us)
{
    char text[64] = "";
    const time_t second = (time_t)(time_us / 1000000U);
    struct tm parts;
    if (localtime_r(&second, &parts))
        (void)strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &parts);
    (void)fputs(text, stdout);
}

static void put_preamble(const struct queue_file *file)
{
    const struct queue_preamble *preamble = &file->preamble;
    put_number(file, 0, "content_bytes", preamble->content_size);
    for (size_t i = 0; i < preamble->extent_count; i++) {
        put_offset(file, 0);
        (void)printf("extent: %llu+%llu\n", (unsigned long long)preamble->extents[i].offset,
                     (unsigned long long)preamble->extents[i].length);
    }
    put_number(file, 0, "envelope_offset", preamble->envelope_offset);
    put_number(file, 0, "state_offset", preamble->state_offset);
}

static void put_envelope(const struct queue_file *file)
{
    static const char *const origins[] = {
        [QUEUE_ORIGIN_SMTP] = "smtp",       [QUEUE_ORIGIN_SUBMISSION] = "submission",
        [QUEUE_ORIGIN_PICKUP] = "pickup",   [QUEUE_ORIGIN_BOUNCE] = "bounce",
        [QUEUE_ORIGIN_FORWARD] = "forward",
    };
    const struct queue_envelope *envelope = &file->envelope;
    const uint64_t offset = file->preamble.envelope_offset;
    (void)printf("*** ENVELOPE RECORDS %s ***\n", file->name);
    if (file->options->is_verbose)
        put_preamble(file);
    put_number(file, offset, "message_size", envelope->facts.size_bytes);
    put_offset(file, offset);
    (void)fputs("message_arrival_time: ", stdout);
    put_time(envelope->arrival_us);
    (void)putchar('\n');
    put_field(file, offset, "origin",
              span_from_string((size_t)envelope->origin < ARRAY_LENGTH(origins)
                                   ? origins[envelope->origin]
                                   : "unknown"));
    put_field(file, offset, "sender", envelope->reverse_path);
    if (envelope->envid.length)
        put_field(file, offset, "envid", envelope->envid);
    if (envelope->verp_delimiters.length)
        put_field(file, offset, "verp_delimiters", envelope->verp_delimiters);
    if (envelope->client_name.length)
        put_field(file, offset, "client_name", envelope->client_name);
    if (envelope->client_address.length)
        put_field(file, offset, "client_address", envelope->client_address);
    if (envelope->helo.length)
        put_field(file, offset, "helo_name", envelope->helo);
    if (envelope->protocol.length)
        put_field(file, offset, "protocol_name", envelope->protocol);
    if (envelope->ident.length)
        put_field(file, offset, "log_ident", envelope->ident);
    if (envelope->forward_of.length)
        put_field(file, offset, "forward_of", envelope->forward_of);
    if (envelope->report_of.length)
        put_field(file, offset, "report_of", envelope->report_of);
    if (envelope->client_address.length)
        put_field(file, offset, "rewrite_context",
                  envelope->flags & QUEUE_FLAG_LOCAL_CLIENT ? SPAN("local") : SPAN("remote"));
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const struct queue_recipient *recipient = &envelope->recipients[i];
        if (recipient->original_recipient.length)
            put_field(file, offset, "original_recipient", recipient->original_recipient);
        if (recipient->orcpt.length)
            put_field(file, offset, "dsn_orig_rcpt", recipient->orcpt);
        if (recipient->notify)
            put_number(file, offset, "notify_flags", recipient->notify);
        put_field(file, offset,
                  queue_status_is_done(queue_status_from_byte(file->statuses.bytes[i]))
                      ? "done_recipient"
                      : "recipient",
                  recipient->forward_path);
    }
}

static void put_record(const struct queue_file *file, const struct queue_record *record,
                       uint64_t offset)
{
    static const struct {
        enum queue_record_kind kind;
        const char *name;
    } names[] = {
        {QUEUE_RECORD_ATTEMPT, "attempt"},     {QUEUE_RECORD_DEFER, "put_off"},
        {QUEUE_RECORD_NEXT, "next_attempt"},   {QUEUE_RECORD_HOLD, "hold"},
        {QUEUE_RECORD_RELEASE, "release"},     {QUEUE_RECORD_EXPIRE, "expire"},
        {QUEUE_RECORD_WARNED, "delay_notice"}, {QUEUE_RECORD_REPORTED, "status_notice"},
    };
    const char *name = "record";
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (names[i].kind == record->kind)
            name = names[i].name;
    put_offset(file, offset);
    (void)printf("%s: ", name);
    put_time(record->time_us);
    if (record->kind == QUEUE_RECORD_NEXT) {
        (void)printf(", attempts=%u, due ", (unsigned)record->attempt_count);
        put_time(record->next_attempt_us);
    }
    if (record->recipient_count)
        (void)printf(", recipients=%u-%u", (unsigned)record->first_recipient,
                     (unsigned)(record->first_recipient + record->recipient_count - 1));
    if (record->has_outcome) {
        (void)printf(", dsn=%u.%u.%u, reason=", record->outcome.status.class,
                     record->outcome.status.subject, record->outcome.status.detail);
        put_text(record->outcome.reason);
    }
    if (record->remote.length) {
        (void)fputs(", relay=", stdout);
        put_text(record->remote);
    }
    if (record->next_hop.length) {
        (void)fputs(", next_hop=", stdout);
        put_text(record->next_hop);
    }
    if (record->text.length) {
        (void)fputs(", text=", stdout);
        put_text(record->text);
    }
    (void)putchar('\n');
}

static void put_state(const struct queue_file *file)
{
    static const struct {
        enum queue_status status;
        const char *name;
    } names[] = {
        {QUEUE_STATUS_PENDING, "pending"},     {QUEUE_STATUS_DELIVERED, "delivered"},
        {QUEUE_STATUS_FAILED, "failed"},       {QUEUE_STATUS_EXPIRED, "expired"},
        {QUEUE_STATUS_SUCCEEDED, "succeeded"}, {QUEUE_STATUS_REPORTED, "reported"},
    };
    const uint64_t journal_offset = queue_state_journal_offset(&file->preamble);
    struct span rest = file->journal;
    struct queue_record record;
    (void)printf("*** DELIVERY STATE %s ***\n", file->name);
    for (uint32_t i = 0; i < file->statuses.length; i++)
        for (size_t j = 0; j < ARRAY_LENGTH(names); j++)
            if (names[j].status == queue_status_from_byte(file->statuses.bytes[i])) {
                put_offset(file, queue_state_status_offset(&file->preamble, i));
                (void)printf("status: %s ", names[j].name);
                put_text(file->envelope.recipients[i].forward_path);
                (void)putchar('\n');
            }
    for (uint64_t offset = journal_offset; queue_journal_next(&rest, &record);
         offset = journal_offset + file->journal.length - rest.length)
        put_record(file, &record, offset);
}

/* Where the content is being printed. */
struct printer {
    const struct queue_file *file;
    uint64_t position; /* in the content */
    bool is_in_line;
    bool has_cr; /* kept back: before LF it is part of the line's end */
};

static void put_byte(struct printer *printer, uint8_t byte, uint64_t offset)
{
    const struct queue_file *file = printer->file;
    const uint64_t header_bytes = file->envelope.facts.header_bytes;
    const bool is_header = printer->position < header_bytes;
    /* The empty line is the first of the body, as in Postfix. */
    const bool is_separator = is_header && header_bytes - printer->position <= 2;
    const bool is_shown =
        (is_header && !is_separator ? file->options->shows_header : file->options->shows_body) &&
        offset >= file->options->skip_bytes;
    printer->position++;
    if (!is_shown)
        return;
    if (!printer->is_in_line)
        put_offset(file, offset);
    printer->is_in_line = byte != '\n';
    if (printer->has_cr && byte != '\n')
        (void)putchar('\r');
    printer->has_cr = byte == '\r';
    if (!printer->has_cr)
        (void)putchar(byte);
}

static bool put_content(const struct queue_file *file)
{
    struct printer printer = {.file = file};
    uint8_t *chunk = malloc(CHUNK_BYTES);
    bool is_whole = chunk != NULL;
    for (size_t i = 0; i < file->preamble.extent_count && is_whole; i++) {
        const struct queue_extent *extent = &file->preamble.extents[i];
        for (uint64_t done = 0; done < extent->length && is_whole;) {
            const uint64_t left = extent->length - done;
            const size_t count = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
            is_whole = file_pread_all(file->descriptor, chunk, count, extent->offset + done) == 0;
            for (size_t j = 0; j < count && is_whole; j++)
                put_byte(&printer, chunk[j], extent->offset + done + j);
            done += count;
        }
    }
    free(chunk);
    return is_whole;
}

static bool show(const struct options *options, const char *name, int descriptor)
{
    struct queue_file file = {.options = options, .name = name, .descriptor = descriptor};
    uint8_t beginning[DROP_BEGINNING_BYTES];
    const ssize_t count = file_pread_upto(descriptor, beginning, sizeof(beginning), 0);
    if (count > 0 && drop_text_is(span_of(beginning, (size_t)count))) {
        const char *fault = drop_text_show(descriptor, name, options->shows_envelope,
                                           options->shows_header, options->shows_body);
        if (fault)
            complain(name, fault);
        return !fault;
    }
    arena_init(&file.arena, FILE_ARENA_BYTES, 0);
    const char *reason = read_file(&file);
    const bool shows_content = options->shows_header || options->shows_body;
    if (!reason && options->shows_envelope)
        put_envelope(&file);
    if (!reason && options->shows_envelope && shows_content)
        (void)printf("*** MESSAGE CONTENTS %s ***\n", name);
    if (!reason && shows_content && !put_content(&file))
        reason = "the content cannot be read";
    if (!reason && options->shows_envelope) {
        put_state(&file);
        (void)printf("*** MESSAGE FILE END %s ***\n", name);
    }
    if (reason)
        complain(name, reason);
    arena_destroy(&file.arena);
    return !reason;
}

/* ---- the command line ---- */

/* What comes through a pipe is kept first: its parts are read out of order. */
static bool show_input(const struct options *options)
{
    uint8_t *bytes = malloc(CHUNK_BYTES);
    struct stat facts;
    uint64_t length = 0;
    ssize_t count = 0;
    bool is_shown = false;
    if (fstat(STDIN_FILENO, &facts) == 0 && S_ISREG(facts.st_mode)) {
        free(bytes);
        return show(options, "stdin", STDIN_FILENO);
    }
    const int copy = memfd_create("stdin", MFD_CLOEXEC);
    while (bytes && copy >= 0 && (count = read(STDIN_FILENO, bytes, CHUNK_BYTES)) > 0 &&
           file_pwrite_all(copy, bytes, (size_t)count, length) == 0)
        length += (size_t)count;
    if (!bytes || copy < 0 || count != 0)
        complain("stdin", strerror(errno));
    else
        is_shown = show(options, "stdin", copy);
    file_close(copy);
    free(bytes);
    return is_shown;
}

static bool show_id(const struct options *options, int queue, const char *id)
{
    char *path = NULL;
    if (!queue_id_is_valid(span_from_string(id))) {
        complain(id, "not a queue id");
        return false;
    }
    const int descriptor = find(queue, id, &path);
    if (descriptor < 0) {
        complain(id, errno == EACCES ? strerror(errno) : "no such message in the queue");
        return false;
    }
    const bool is_shown = show(options, path, descriptor);
    file_close(descriptor);
    free(path);
    return is_shown;
}

static bool show_file(const struct options *options, const char *name)
{
    const int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) {
        complain(name, strerror(errno));
        return false;
    }
    const bool is_shown = show(options, name, descriptor);
    file_close(descriptor);
    return is_shown;
}

static int usage(void)
{
    (void)fprintf(stderr, "postcat: fatal: usage: postcat [-bdefhorv] [-c directory] [-s offset] "
                          "file... | -q id...\n");
    return EX_USAGE;
}

static bool choose(struct options *options, int option, const char *argument)
{
    switch (option) {
    case 'b':
        return options->shows_body = true;
    case 'e':
        return options->shows_envelope = true;
    case 'h':
        return options->shows_header = true;
    case 'o':
        return options->shows_offsets = true;
    case 'q':
        return options->takes_ids = true;
    case 'v':
        return options->is_verbose = true;
    case 's':
        return number_parse_uint64(span_from_string(argument), UINT64_MAX, &options->skip_bytes);
    default: /* -d, -f, -r: about record types, which our files do not have */
        return option != '?';
    }
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct conf_tools settings;
    struct options options = {.skip_bytes = 0};
    const char *directory = NULL;
    bool is_done = true;
    (void)tool_name(argv, "postcat");
    for (int option; (option = getopt(argc, argv, "bc:defhoqrs:v")) != -1;) {
        if (option == 'c')
            directory = optarg;
        else if (!choose(&options, option, optarg))
            return usage();
    }
    if (!options.shows_envelope && !options.shows_header && !options.shows_body)
        options.shows_envelope = options.shows_header = options.shows_body = true;
    int queue = -1;
    if (options.takes_ids) {
        arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
        if (!tool_load("postcat", directory, &conf_part_tools, &arena, &settings))
            return EXIT_FAILURE;
        queue = tool_open_queue(&settings);
        if (queue < 0) {
            complain("queue_directory", strerror(errno));
            return EXIT_FAILURE;
        }
    }
    if (optind >= argc)
        is_done = show_input(&options);
    for (; optind < argc; optind++)
        is_done &= options.takes_ids ? show_id(&options, queue, argv[optind])
                                     : show_file(&options, argv[optind]);
    file_close(queue);
    if (fflush(stdout) != 0 || ferror(stdout))
        is_done = false;
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
