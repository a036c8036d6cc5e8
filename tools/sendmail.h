/* tools/sendmail - what the modules of the sendmail command share. man/sendmail.1 */
#ifndef TOOLS_SENDMAIL_H
#define TOOLS_SENDMAIL_H

#include <sysexits.h>

#include "base/buffer.h"
#include "queuefile/drop.h"
#include "tool.h"

struct sendmail {
    struct conf_tools settings;
    const char *directory;       /* of the configuration */
    const char *sender_argument; /* -f, NULL: the user */
    const char *full_name;       /* -F */
    const char *envid;           /* -V */
    const char *verp;            /* the delimiters of -XV, NULL: none are named */
    char **recipients;           /* NULL at the end */
    struct arena arena;          /* for addresses */
    struct drop_header header;
    uint8_t notify;
    bool extracts_recipients; /* -t */
    bool dot_is_text;         /* -i */
    bool wants_usual_verp;    /* -XV alone */
};

NORETURN void sendmail_die(int status, const char *format, ...) PRINTF_LIKE(2, 3);
/* As sendmail_die(), with the user in front. */
NORETURN void sendmail_die_for_user(int status, const char *reason);
void sendmail_warn(const char *format, ...) PRINTF_LIKE(1, 2);

/* sendmail_text.c: reads the message and hands it to postdrop. The exit status. */
int sendmail_submit(struct sendmail *sendmail);

/* sendmail_session.c: a session on standard input and output. The exit status. */
int sendmail_session(struct sendmail *sendmail);

/* sendmail_drop.c: a postdrop that reads from us. */
struct sendmail_drop {
    int input;  /* what it reads */
    int output; /* what it says */
    int process;
    struct drop_end written;
    bool has_failed; /* it reads no more: its status says why */
    char queue_id[64];
};
void sendmail_drop_begin(const struct sendmail *sendmail, const struct drop_header *header,
                         struct sendmail_drop *drop);
void sendmail_drop_recipient(struct sendmail_drop *drop, const struct queue_recipient *recipient);
void sendmail_drop_text(struct sendmail_drop *drop, struct span text);
/* Whole, or given up: then postdrop forgets it. The exit status of postdrop. */
int sendmail_drop_finish(struct sendmail_drop *drop, bool is_whole);

/* Another program of ours in this one's place. */
NORETURN void sendmail_exec(const struct sendmail *sendmail, const char *name, const char *title,
                            const char *const *arguments);

#endif
