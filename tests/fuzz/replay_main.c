/* tests/fuzz/replay_main - run a fuzz target over its corpus, as one TAP test.
 * Without arguments the corpus is $top_srcdir/tests/fuzz/corpus/NAME, NAME being the program's;
 * otherwise the files named. Every file is given whole, and small ones by every prefix too. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { REPLAY_MAX_BYTES = 1 << 20, REPLAY_PREFIX_MAX_BYTES = 2048 };

/* A fresh exact-size allocation each time, so that AddressSanitizer sees one byte too far. */
static void run_once(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, length);
    (void)LLVMFuzzerTestOneInput(copy, length);
    free(copy);
}

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return -1;
    uint8_t *bytes = malloc(REPLAY_MAX_BYTES);
    if (!bytes)
        abort();
    const size_t length = fread(bytes, 1, REPLAY_MAX_BYTES, file);
    (void)fclose(file);
    run_once(bytes, length);
    if (length <= REPLAY_PREFIX_MAX_BYTES)
        for (size_t prefix = 0; prefix < length; prefix++)
            run_once(bytes, prefix);
    free(bytes);
    return 0;
}

static size_t run_directory(const char *path)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[1024];
        if (entry->d_name[0] == '.' ||
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name) >= (int)sizeof(name))
            continue;
        if (run_file(name) == 0)
            count++;
    }
    (void)closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            if (run_file(argv[i]) != 0)
                return 1;
        return 0;
    }
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    const char *source = getenv("top_srcdir");
    char path[1024];
    if (snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", source ? source : ".", name) >=
        (int)sizeof(path))
        return 1;
    const size_t count = run_directory(path);
    (void)printf("1..1\n%sok 1 - %s replayed %zu files\n", count ? "" : "not ", name, count);
    return count ? 0 : 1;
}
