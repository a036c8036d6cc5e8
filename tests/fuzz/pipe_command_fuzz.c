/* tests/fuzz/pipe_command_fuzz - words behind "pipe" in master.cf, one a line, and the expansion of
 * the command line that they make. */
#include "conf/pipe_command.h"

enum { WORDS_MAX = 64, ARENA_BYTES = 1 << 20, OUTPUT_MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length), words[WORDS_MAX];
    struct conf_pipe_values values;
    struct conf_pipe_command command;
    struct conf_error error = {.text = ""};
    struct arena arena;
    size_t count = 0;

    while (rest.length > 0 && count < WORDS_MAX)
        (void)span_split_once(rest, '\n', &words[count++], &rest);
    for (size_t i = 0; i < CONF_PIPE_MACRO_COUNT; i++)
        values.of[i] = span_first(span_of(bytes, length), 16);
    arena_init(&arena, ARENA_BYTES, 0);
    if (conf_pipe_parse(words, count, &arena, &command, &error)) {
        ASSERT(command.user.length > 0 && command.argument_count > 0);
        ASSERT(command.line_end.length <= length || command.line_end.length == 1);
        for (size_t i = 0; i < command.argument_count; i++) {
            struct buffer output;
            buffer_init(&output, NULL, OUTPUT_MAX_BYTES);
            ASSERT(conf_pipe_expand(command.arguments[i], &values, &output));
            (void)!conf_pipe_is_per_recipient(command.arguments[i]); /* it ends */
            buffer_release(&output);
        }
    } else {
        ASSERT(error.text[0]);
    }
    arena_destroy(&arena);
    return 0;
}
