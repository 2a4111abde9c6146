#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_HEAP = 256,
    OPTION_FAULTS,
    OPTION_COUNTS,
    OPTION_PROGRESS,
    OPTION_NO_PROGRESS,
    OPTION_STATS,
    OPTION_MAX_BYTES,
    OPTION_PASSES
};

static const char usage_text[] =
    "usage: concordance [OPTION...] PATH...\n"
    "\n"
    "Counts the words in files and folders, in a map that lies in a Shale heap, and shows what "
    "the\n"
    "collector did meanwhile. A word is a run of ASCII letters; upper and lower case are the "
    "same.\n"
    "Folders are read with all that is in them; symbolic links only where PATH names them. "
    "Compressed\n"
    "files are just bytes. Words longer than %zu letters are left out and reported.\n"
    "\n"
    "  -H, --heap SIZE        what the heap may grow to: 64M, auto (default %zuM)\n"
    "  -j, --threads N        threads that read files (default %d)\n"
    "      --faults HOW       who answers page faults while the heap is compacted:\n"
    "                         thread (default) or signal\n"
    "  -n, --top N            print the N most frequent words (default %d)\n"
    "      --counts           print \"count word\" for every word, sorted by word, and nothing "
    "else\n"
    "      --stats            print statistics as \"name value\" lines on stderr\n"
    "      --max-bytes SIZE   read files only while they fit into SIZE bytes in all\n"
    "      --passes N         read everything N times; the counts add up (default 1)\n"
    "      --progress         show a progress line on stderr even if it is no terminal\n"
    "      --no-progress      do not show it\n"
    "  -q, --quiet            print no words, no table, no progress, no remarks\n"
    "  -h, --help             print this\n"
    "\n"
    "Exit code: 0 done; 1 trouble, such as no readable file; 2 usage; 3 the heap is too small.\n";

static void print_help(void)
{
    shale_option_description option;
    printf(usage_text, (size_t)SHALE_OBJECT_MAX, HEAP_SIZE_DEFAULT >> 20, THREADS_DEFAULT, TOP_DEFAULT);
    puts("\nOptions of the collector, from the environment; they win (the library's defaults in brackets):");
    for (size_t i = 0; shale_option_describe(i, &option); i++) {
        char name[32] = "SHALE_";
        size_t length = strlen(name);
        for (const char *from = option.name; *from != '\0' && length + 1 < sizeof name; from++)
            name[length++] = (char)(*from >= 'a' && *from <= 'z' ? *from - 'a' + 'A' : *from);
        name[length] = '\0';
        printf("  %-18s %s (%s)\n", name, option.documentation, option.default_value);
    }
}

static bool complain(const char *what, const char *value)
{
    fprintf(stderr, "concordance: %s: \"%s\"\nTry: concordance --help\n", what, value);
    return false;
}

static bool parse_count(const char *text, size_t least, size_t most, size_t *count)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < least || value > most)
        return false;
    *count = (size_t)value;
    return true;
}

static bool parse_size(const char *text, uint64_t *bytes)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || errno != 0)
        return false;
    unsigned shift = 0;
    if (*end != '\0') {
        const char *unit = strchr("KkMmGg", *end);
        if (unit == NULL || end[1] != '\0')
            return false;
        shift = (unsigned)(strchr("KMG", *end & ~0x20) - "KMG" + 1) * 10;
    }
    *bytes = (uint64_t)value << shift;
    return *bytes >> shift == value && value > 0;
}

static bool set_heap_option(struct options *options, const char *name, const char *value)
{
    shale_error error;
    if (shale_options_set(&options->heap, name, value, &error) == SHALE_OK)
        return true;
    fprintf(stderr, "concordance: --%s: %s\n", name, error.message);
    return false;
}

static bool apply(struct options *options, int option, const char *value)
{
    switch (option) {
    case OPTION_HEAP:
    case 'H':
        return set_heap_option(options, "heap", value);
    case OPTION_FAULTS:
        return set_heap_option(options, "faults", value);
    case 'j':
        return parse_count(value, 1, THREADS_MAX, &options->threads) ||
               complain("--threads wants a number from 1 to 256", value);
    case 'n':
        return parse_count(value, 0, SIZE_MAX, &options->top) || complain("--top wants a number", value);
    case OPTION_PASSES:
        return parse_count(value, 1, SIZE_MAX, &options->passes) ||
               complain("--passes wants a number from 1", value);
    case OPTION_MAX_BYTES:
        return parse_size(value, &options->max_bytes) ||
               complain("--max-bytes wants a size such as 64M", value);
    case OPTION_COUNTS:
        options->counts = true;
        return true;
    case OPTION_STATS:
        options->statistics = true;
        return true;
    case OPTION_PROGRESS:
    case OPTION_NO_PROGRESS:
        options->progress = option == OPTION_PROGRESS;
        return true;
    case 'q':
        options->quiet = true;
        options->progress = false;
        return true;
    default: /* getopt_long has said what is wrong */
        fputs("Try: concordance --help\n", stderr);
        return false;
    }
}

bool options_parse(struct options *options, int argc, char **argv, int *exit_code)
{
    static const struct option table[] = {{"heap", required_argument, NULL, 'H'},
                                          {"threads", required_argument, NULL, 'j'},
                                          {"faults", required_argument, NULL, OPTION_FAULTS},
                                          {"top", required_argument, NULL, 'n'},
                                          {"counts", no_argument, NULL, OPTION_COUNTS},
                                          {"stats", no_argument, NULL, OPTION_STATS},
                                          {"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
                                          {"passes", required_argument, NULL, OPTION_PASSES},
                                          {"progress", no_argument, NULL, OPTION_PROGRESS},
                                          {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
                                          {"quiet", no_argument, NULL, 'q'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){
        .threads = THREADS_DEFAULT, .top = TOP_DEFAULT, .passes = 1, .progress = isatty(STDERR_FILENO) == 1};
    shale_options_init(&options->heap);
    options->heap.heap_size = HEAP_SIZE_DEFAULT;
    *exit_code = EXIT_USAGE;
    int option;
    while ((option = getopt_long(argc, argv, "H:j:n:qh", table, NULL)) != -1) {
        if (option == 'h') {
            print_help();
            *exit_code = EXIT_DONE;
            return false;
        }
        if (!apply(options, option, optarg))
            return false;
    }
    options->paths = argv + optind;
    if (optind == argc) {
        fputs("concordance: which files or folders should it read?\nTry: concordance --help\n", stderr);
        return false;
    }
    return true;
}
