/* conf/known - parameters of Postfix that this release knows and does not build. */
#include "conf/known.h"

#include "conf/value.h"

#define KNOWN(name, default_text) {#name, default_text, NULL, sizeof #name - 1},
#define NARROWS(name, default_text, harmless_words)                                                \
    {#name, default_text, harmless_words, sizeof #name - 1},
const struct conf_known conf_known[] = {
#include "conf/catalogue/known.def"
};
#undef KNOWN
#undef NARROWS
const size_t conf_known_count = ARRAY_LENGTH(conf_known);

const struct conf_known *conf_known_find(struct span name)
{
    for (size_t i = 0; i < conf_known_count; i++)
        if (span_equals(name, span_of(conf_known[i].name, conf_known[i].name_length)))
            return &conf_known[i];
    return NULL;
}

bool conf_known_is_harmless(const struct conf_known *known, struct span value,
                            struct span default_value, struct span *harmful_word)
{
    struct span rest = value, word;

    if (!known->harmless_words || span_equals(value, default_value))
        return true;
    while (span_next_word(&rest, ", \t\r\n", &word)) {
        *harmful_word = word;
        if (!conf_value_is_one_of(word, known->harmless_words))
            return false;
    }
    return true;
}
