#include "bench/workloads/common/command_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARKERS_MAX = 64, NAME_MAX_LENGTH = 16 };

#define CORPUS_DEFAULT "/usr/include"

const char *const scale_names[SCALES] = {"tiny", "quick", "full"};

static const char usage_text[] =
    "usage: %s [OPTION...]\n"
    "\n"
    "%s\n"
    "\n"
    "  --scale SCALE       full (default), quick: about a tenth of it, or tiny: for tests\n"
    "  --threads N         threads that do the work, 1 to %u (default 1)\n"
    "  --seed N            of the random numbers (default 1)\n"
    "  --heap-bytes N      size of the heap; K, M or G may follow (default: the memory manager's own)\n"
    "  --faults MODE       in Shale, who answers page faults: thread (default) or signal\n"
    "  --incremental       in bdwgc, collect little by little\n"
    "  --markers N         in bdwgc, threads that mark (default: its own choice)\n"
    "  --corpus FOLDER     C headers to parse (default " CORPUS_DEFAULT "), where the workload does so\n"
    "  --histogram FILE    write the latencies there as well, in HdrHistogram's format (.hgrm)\n"
    "  --help              print this\n"
    "\n"
    "Prints one JSON object; bench/README.md says what is in it. Options that the memory manager, here %s,\n"
    "does not have are refused, but for --heap-bytes.\n"
    "Exit code: 0 done; 2 usage; 3 failed, with the reason in the object.\n";

static const char *program_name;

_Noreturn static void complain(const char *what, const char *value)
{
    fprintf(stderr, "%s: %s: \"%s\"\nTry: %s --help\n", program_name, what, value, program_name);
    exit(EXIT_USAGE);
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *number, const char **end)
{
    char *after;
    errno = 0;
    *number = strtoull(text, &after, 10);
    *end = after;
    return *text >= '0' && *text <= '9' && errno == 0 && *number >= least && *number <= most;
}

static uint64_t parse_count(const char *what, const char *text, uint64_t least, uint64_t most)
{
    uint64_t number;
    const char *end;
    if (!parse_number(text, least, most, &number, &end) || *end != '\0')
        complain(what, text);
    return number;
}

static size_t parse_size(const char *text)
{
    static const char units[] = "KMG";
    static const char what[] = "--heap-bytes wants a size such as 64M";
    uint64_t number;
    const char *end;
    if (!parse_number(text, 1, SIZE_MAX >> 30, &number, &end))
        complain(what, text);
    if (*end == '\0')
        return number;
    const char *unit = strchr(units, *end);
    if (unit == NULL || end[1] != '\0')
        complain(what, text);
    return number << (unit - units + 1) * 10;
}

/* The index of a name. */
static unsigned parse_name(const char *what, const char *text, const char *const *names, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    complain(what, text);
}

enum {
    OPTION_SCALE = 256,
    OPTION_THREADS,
    OPTION_SEED,
    OPTION_HEAP_BYTES,
    OPTION_FAULTS,
    OPTION_INCREMENTAL,
    OPTION_MARKERS,
    OPTION_CORPUS,
    OPTION_HISTOGRAM,
    OPTION_HELP
};

static const struct option long_options[] = {{"scale", required_argument, NULL, OPTION_SCALE},
                                             {"threads", required_argument, NULL, OPTION_THREADS},
                                             {"seed", required_argument, NULL, OPTION_SEED},
                                             {"heap-bytes", required_argument, NULL, OPTION_HEAP_BYTES},
                                             {"faults", required_argument, NULL, OPTION_FAULTS},
                                             {"incremental", no_argument, NULL, OPTION_INCREMENTAL},
                                             {"markers", required_argument, NULL, OPTION_MARKERS},
                                             {"corpus", required_argument, NULL, OPTION_CORPUS},
                                             {"histogram", required_argument, NULL, OPTION_HISTOGRAM},
                                             {"help", no_argument, NULL, OPTION_HELP},
                                             {NULL, 0, NULL, 0}};

/* Options of the memory manager, refused where it has none such. */
static void read_manager_option(struct manager_options *manager, int option, const char *value)
{
    static const char *const faults[] = {"thread", "signal"};
    if (option == OPTION_FAULTS ? !manager_abilities.faults : !manager_abilities.incremental)
        complain("this memory manager has no such option", option == OPTION_FAULTS        ? "--faults"
                                                           : option == OPTION_INCREMENTAL ? "--incremental"
                                                                                          : "--markers");
    if (option == OPTION_FAULTS)
        manager->faults = parse_name("--faults wants thread or signal", value, faults, 2);
    else if (option == OPTION_INCREMENTAL)
        manager->incremental = true;
    else
        manager->markers =
            (unsigned)parse_count("--markers wants a number from 1 to 64", value, 1, MARKERS_MAX);
}

static void read_option(struct command_line *command, int option, char *value)
{
    switch (option) {
    case OPTION_SCALE:
        command->scale = parse_name("--scale wants full, quick or tiny", value, scale_names, SCALES);
        break;
    case OPTION_THREADS:
        command->threads = (unsigned)parse_count("--threads wants a number that --help allows", value, 1,
                                                 workload_threads_max);
        break;
    case OPTION_SEED:
        command->seed = parse_count("--seed wants a number", value, 0, UINT64_MAX);
        break;
    case OPTION_HEAP_BYTES:
        command->manager.heap_bytes = parse_size(value);
        break;
    case OPTION_CORPUS:
        command->corpus = value;
        break;
    case OPTION_HISTOGRAM:
        command->histogram = value;
        break;
    case OPTION_HELP:
        printf(usage_text, program_name, workload_about, workload_threads_max, manager_name);
        exit(EXIT_SUCCESS);
    default:
        read_manager_option(&command->manager, option, value);
    }
}

void command_line_read(struct command_line *command, int argc, char **argv)
{
    program_name = argv[0];
    *command = (struct command_line){.scale = SCALE_FULL, .threads = 1, .seed = 1, .corpus = CORPUS_DEFAULT};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == '?') {
            fprintf(stderr, "Try: %s --help\n", program_name);
            exit(EXIT_USAGE);
        }
        read_option(command, option, optarg);
    }
    if (optind < argc)
        complain("this is no option", argv[optind]);
    if (!manager_abilities.heap)
        command->manager.heap_bytes = 0; /* the same command line for all: it cannot be kept to */
}
