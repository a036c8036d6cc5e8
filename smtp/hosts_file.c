/* smtp/hosts_file - see hosts_file.h. */
#include "hosts_file.h"

/* A final dot says nothing. */
static bool is_same_name(struct span left, struct span right)
{
    if (span_ends_with(left, SPAN(".")))
        left = span_first(left, left.length - 1);
    if (span_ends_with(right, SPAN(".")))
        right = span_first(right, right.length - 1);
    return span_equals_ascii_nocase(left, right);
}

static bool line_has_name(struct span line, struct span name, struct ip_address *address)
{
    struct span word;
    if (!span_next_word(&line, " \t\r", &word) || !ip_address_parse(word, address))
        return false;
    while (span_next_word(&line, " \t\r", &word))
        if (is_same_name(word, name))
            return true;
    return false;
}

size_t hosts_file_lookup(struct span file, struct span name,
                         struct ip_address addresses[HOSTS_FILE_ADDRESSES_MAX])
{
    size_t count = 0;
    while (!span_is_empty(file) && count < HOSTS_FILE_ADDRESSES_MAX) {
        struct span line;
        (void)span_split_once(file, '\n', &line, &file);
        line = span_first(line, span_find_byte(line, '#'));
        if (line_has_name(line, name, &addresses[count]))
            count++;
    }
    return count;
}
