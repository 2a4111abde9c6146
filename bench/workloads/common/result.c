#include "bench/workloads/common/result.h"

#include <inttypes.h>
#include <stdarg.h>

static const double SECOND = 1e9;

static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            fprintf(file, "\\%c", *c);
        else if (*c < ' ')
            fprintf(file, "\\u%04x", *c);
        else
            fputc(*c, file);
    }
    fputc('"', file);
}

static void write_named_string(FILE *file, const char *name, const char *text)
{
    fprintf(file, ",\"%s\":", name);
    write_string(file, text);
}

static void write_count(FILE *file, const char *name, bool known, uint64_t value)
{
    if (known)
        fprintf(file, ",\"%s\":%" PRIu64, name, value);
    else
        fprintf(file, ",\"%s\":null", name);
}

static void write_latency(FILE *file, const struct histogram *histogram)
{
    if (histogram == NULL || histogram->count == 0) {
        fprintf(file, ",\"latency\":null");
        return;
    }
    fprintf(file,
            ",\"latency\":{\"count\":%" PRIu64 ",\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64
            ",\"p9999\":%" PRIu64 ",\"max\":%" PRIu64 ",\"histogram\":[",
            histogram->count, histogram_percentile(histogram, 500000),
            histogram_percentile(histogram, 990000), histogram_percentile(histogram, 999000),
            histogram_percentile(histogram, 999900), histogram->maximum);
    const char *separator = "";
    for (size_t i = 0; i < HISTOGRAM_CLASSES; i++) {
        if (histogram->counts[i] == 0)
            continue;
        fprintf(file, "%s[%" PRIu64 ",%" PRIu64 "]", separator, histogram_upper(i), histogram->counts[i]);
        separator = ",";
    }
    fprintf(file, "]}");
}

static void write_stops(FILE *file, const struct manager_measures *measures)
{
    const struct manager_stops *stops = &measures->stops;
    if (!measures->has_stops)
        fprintf(file, ",\"stops\":null");
    else
        fprintf(file,
                ",\"stops\":{\"count\":%" PRIu64 ",\"total_ns\":%" PRIu64 ",\"p50\":%" PRIu64
                ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
                stops->count, stops->total, stops->p50, stops->p99, stops->maximum);
    if (!measures->has_mmu) {
        fprintf(file, ",\"mmu\":null");
        return;
    }
    fprintf(file, ",\"mmu\":[");
    for (size_t i = 0; i < MMU_WINDOWS; i++)
        fprintf(file, "%s[%u,%.6f]", i == 0 ? "" : ",", mmu_windows[i], measures->mmu[i]);
    fprintf(file, "]");
}

void result_write(const struct result *result, FILE *file)
{
    const struct command_line *command = result->command;
    const struct run *run = result->run;
    const struct manager_measures *measures = result->measures;
    char mode[MANAGER_MODE_MAX];
    manager_mode(&command->manager, mode);
    fprintf(file, "{\"workload\":\"%s\",\"manager\":\"%s\",\"mode\":\"%s\"", workload_name, manager_name,
            mode);
    fprintf(file, ",\"threads\":%u,\"scale\":\"%s\",\"seed\":%" PRIu64, command->threads,
            scale_names[command->scale], command->seed);
    write_count(file, "heap_bytes", command->manager.heap_bytes != 0, command->manager.heap_bytes);
    fprintf(file, ",\"ok\":%s", result->error == NULL ? "true" : "false");
    write_named_string(file, "error", result->error == NULL ? "" : result->error);
    fprintf(file, ",\"wall_seconds\":%.6f,\"cpu_seconds\":%.6f", (double)result->wall / SECOND,
            (double)result->cpu / SECOND);
    write_count(file, "operations", true, run->operations);
    write_latency(file, run->latency);
    write_stops(file, measures);
    write_count(file, "faults", measures->has_faults, measures->faults);
    write_count(file, "allocation_stalls", measures->has_allocation_stalls, measures->allocation_stalls);
    write_count(file, "cycles", measures->has_cycles, measures->cycles);
    write_count(file, "peak_memory_bytes", true, result->peak_memory);
    write_count(file, "live_bytes", true, run->live.bytes);
    write_count(file, "heap_live_bytes", true, run->live.heap_bytes);
    write_count(file, "preempted", true, result->preempted);
    fprintf(file, ",\"checksum\":\"%016" PRIx64 "\"", run->checksum);
    write_named_string(file, "details", measures->details);
    fprintf(file, "}\n");
}
