#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage_text[] =
    "usage: shale-lox [OPTION...] [FILE]\n"
    "\n"
    "Runs a program in Lox, the language of the book \"Crafting Interpreters\"; or, without FILE, each line "
    "that is\n"
    "read from standard input. Everything that the program makes lies in a Shale heap.\n"
    "\n"
    "      --ext              with extensions: spawn, list, weak, gc, gcStats\n"
    "      --gc-log           a line on standard error for each cycle of the collector\n"
    "      --gc-stats         at the end, how long the collector held up threads\n"
    "      --gc-trace FILE    writes what the collector did into a file for trace viewers (Chrome's format)\n"
    "      --heap SIZE        what the heap may grow to: 64M, auto (default: auto)\n"
    "      --faults HOW       who answers page faults while the heap is compacted: thread (default) or "
    "signal\n"
    "  -h, --help             print this\n"
    "      --version          print the versions\n"
    "\n"
    "Exit code: 0 done; 64 usage; 65 the program has errors; 70 it failed while it ran; 74 FILE cannot be "
    "read;\n"
    "1 other trouble.\n";

enum {
    OPTION_EXT = 256,
    OPTION_GC_LOG,
    OPTION_GC_STATS,
    OPTION_GC_TRACE,
    OPTION_HEAP,
    OPTION_FAULTS,
    OPTION_VERSION
};

static void print_help(void)
{
    shale_option_description option;
    fputs(usage_text, stdout);
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

static bool set_heap_option(struct options *options, const char *name, const char *text)
{
    shale_error error;
    if (shale_options_set(&options->heap, name, text, &error) == SHALE_OK)
        return true;
    fprintf(stderr, "shale-lox: --%s: %s\n", name, error.message);
    return false;
}

/* False: the program is to end. */
static bool apply(struct options *options, int option, int *exit_code)
{
    switch (option) {
    case OPTION_EXT:
        options->extensions = true;
        return true;
    case OPTION_GC_LOG:
        options->gc_log = true;
        return true;
    case OPTION_GC_STATS:
        options->gc_stats = true;
        return true;
    case OPTION_GC_TRACE:
        options->gc_trace = optarg;
        return true;
    case OPTION_HEAP:
        return set_heap_option(options, "heap", optarg);
    case OPTION_FAULTS:
        return set_heap_option(options, "faults", optarg);
    case OPTION_VERSION:
        printf("shale-lox, with Shale %s\n", shale_version());
        *exit_code = EXIT_CODE_DONE;
        return false;
    case 'h':
        print_help();
        *exit_code = EXIT_CODE_DONE;
        return false;
    default: /* getopt_long has said what is wrong */
        fputs("Try: shale-lox --help\n", stderr);
        return false;
    }
}

bool options_parse(struct options *options, int argc, char **argv, int *exit_code)
{
    static const struct option table[] = {{"ext", no_argument, NULL, OPTION_EXT},
                                          {"gc-log", no_argument, NULL, OPTION_GC_LOG},
                                          {"gc-stats", no_argument, NULL, OPTION_GC_STATS},
                                          {"gc-trace", required_argument, NULL, OPTION_GC_TRACE},
                                          {"heap", required_argument, NULL, OPTION_HEAP},
                                          {"faults", required_argument, NULL, OPTION_FAULTS},
                                          {"version", no_argument, NULL, OPTION_VERSION},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *options = (struct options){.file = NULL};
    shale_options_init(&options->heap);
    *exit_code = EXIT_CODE_USAGE;
    int option;
    while ((option = getopt_long(argc, argv, "h", table, NULL)) != -1)
        if (!apply(options, option, exit_code))
            return false;
    if (argc - optind > 1) {
        fputs("usage: shale-lox [OPTION...] [FILE]\nTry: shale-lox --help\n", stderr);
        return false;
    }
    options->file = argv[optind];
    return true;
}
