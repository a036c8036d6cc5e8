/* table/words - lists of words that have tables in them, as in "CONNECT GET regexp:{{/^[^A-Z]/
 * x}}". The first that matches decides, "!" before it turns it into no; none means no. Words are
 * compared without regard to capitals; of tables only that they have the key counts. All is in
 * memory: who asks may be in a sandbox that opens nothing. Interface: table_words_open(),
 * table_words_have(). Callers: smtpd. */
#ifndef TABLE_WORDS_H
#define TABLE_WORDS_H

#include "conf/notice.h"
#include "table/list.h"

struct table_words {
    struct span words;         /* as in the setting */
    struct table_list *tables; /* those among them; NULL: none */
};

/* The words outlive the list. False, with the reason in *error, where a table is none or cannot be
 * read. */
MUST_USE bool table_words_open(const char *parameter, struct span words, struct table_words *list,
                               struct conf_error *error);
/* *failed: the table that cannot say, and then the word is not in the list; empty: none. */
MUST_USE bool table_words_have(const struct table_words *list, struct span word,
                               struct span *failed);
void table_words_close(struct table_words *list);

#endif
