/*
 * How many instructions shale_allocate's fast path has, counted in the disassembly of a function that does
 * nothing else. The counting is a script's, which is also a test.
 */
#include "bench/targets/targets.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { LINE_MAX_LENGTH = 256, INSTRUCTIONS_MAX = 12, STATUS_SKIPPED = 77 };

#define SCRIPT SHALE_SOURCE_DIR "/tests/scripts/allocation_fast_path.sh"

/* "COMPILER: N instructions" */
static void read_line(struct finding *finding, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char compiler[64];
    unsigned count;
    if (sscanf(line, "%63[^:]: %u instructions", compiler, &count) != 2) {
        if (show_evidence)
            puts(line);
        return;
    }
    size_t used = strlen(finding->details);
    snprintf(finding->details + used, sizeof finding->details - used, "%s%s %u", used == 0 ? "" : ", ",
             compiler, count);
    if (count > finding->value)
        finding->value = count;
}

void measure_allocation_instructions(struct finding *finding)
{
    finding->limit = INSTRUCTIONS_MAX;
    FILE *script = popen(show_evidence ? "bash '" SCRIPT "' --show" : "bash '" SCRIPT "'", "r");
    char line[LINE_MAX_LENGTH];
    while (script != NULL && fgets(line, sizeof line, script) != NULL)
        read_line(finding, line);
    int status = script != NULL ? pclose(script) : -1;
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED) {
        finding->impossible = true;
        set_details(finding, "no compiler or no objdump");
    } else if (finding->details[0] == '\0') {
        finding->value = INSTRUCTIONS_MAX + 1;
        set_details(finding, "%s counted nothing", SCRIPT);
    }
}
