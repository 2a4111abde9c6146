#include "bench/programs/command_line.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_DEFAULT = 18, DEPTH_MIN = 4, DEPTH_MAX = 26, MARKERS_MAX = 64, EXIT_USAGE = 2 };

static const char usage_text[] =
    "usage: %s [OPTION...]\n"
    "\n"
    "%s\n"
    "\n"
    "  -d, --depth N      depth of the deepest trees, %d to %d (default %d)\n"
    "  -H, --heap SIZE    size of the collected heap, such as 64M (default: the collector's own)\n"
    "      --markers N    threads that mark, in bdwgc (default: its own choice)\n"
    "      --live         in Shale, collect where the program holds most, and tell how much that is\n"
    "  -h, --help         print this\n"
    "\n"
    "Prints one line: objects allocated, a checksum, and what the memory manager did.\n"
    "Exit code: 0 done; 2 usage; 3 no memory.\n";

_Noreturn static void complain(const char *program, const char *what, const char *value)
{
    fprintf(stderr, "%s: %s: \"%s\"\nTry: %s --help\n", program, what, value, program);
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

static unsigned parse_count(const char *program, const char *what, const char *text, unsigned least,
                            unsigned most)
{
    uint64_t number;
    const char *end;
    if (!parse_number(text, least, most, &number, &end) || *end != '\0')
        complain(program, what, text);
    return (unsigned)number;
}

static size_t parse_size(const char *program, const char *text)
{
    static const char units[] = "KMG";
    uint64_t number;
    const char *end;
    if (!parse_number(text, 1, SIZE_MAX >> 30, &number, &end))
        complain(program, "--heap wants a size such as 64M", text);
    if (*end == '\0')
        return number;
    const char *unit = strchr(units, *end);
    if (unit == NULL || end[1] != '\0')
        complain(program, "--heap wants a size such as 64M", text);
    return number << (unit - units + 1) * 10;
}

void command_line_read(struct command_line *command, int argc, char **argv, const char *about)
{
    enum { MARKERS = 256, LIVE };
    static const struct option long_options[] = {{"depth", required_argument, NULL, 'd'},
                                                 {"heap", required_argument, NULL, 'H'},
                                                 {"markers", required_argument, NULL, MARKERS},
                                                 {"live", no_argument, NULL, LIVE},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    *command = (struct command_line){.depth = DEPTH_DEFAULT};
    int option;
    while ((option = getopt_long(argc, argv, "d:H:h", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            command->depth = parse_count(argv[0], "--depth wants a number that --help allows", optarg,
                                         DEPTH_MIN, DEPTH_MAX);
            break;
        case 'H':
            command->heap_size = parse_size(argv[0], optarg);
            break;
        case MARKERS:
            command->markers =
                parse_count(argv[0], "--markers wants a number from 1 to 64", optarg, 1, MARKERS_MAX);
            break;
        case LIVE:
            command->measure_live = true;
            break;
        case 'h':
            printf(usage_text, argv[0], about, DEPTH_MIN, DEPTH_MAX, DEPTH_DEFAULT);
            exit(EXIT_SUCCESS);
        default:
            fprintf(stderr, "Try: %s --help\n", argv[0]);
            exit(EXIT_USAGE);
        }
    }
    if (optind < argc)
        complain(argv[0], "this is no option", argv[optind]);
}

void result_print(const struct result *result, const char *program, const char *manager,
                  const char *description)
{
    printf("%s: objects %" PRIu64 ", checksum %" PRIu64 ", %s: %s\n", program, result->objects,
           result->checksum, manager, description);
}
