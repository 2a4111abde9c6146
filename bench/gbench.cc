// The other side of gbench.h. Nothing here throws into C, and nothing of C++ shows in the header.
#include "bench/gbench.h"

#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

namespace
{

// gbench_main's exit status depends on it; a body may fail on any of its threads.
std::atomic<int> runs_skipped{0};

benchmark::internal::Benchmark *cxx(gbench_case *benchmark)
{
    return reinterpret_cast<benchmark::internal::Benchmark *>(benchmark);
}

benchmark::State &cxx(gbench_state *state)
{
    return *reinterpret_cast<benchmark::State *>(state);
}

const benchmark::State &cxx(const gbench_state *state)
{
    return *reinterpret_cast<const benchmark::State *>(state);
}

// A run's failure is `error_occurred` and `error_message` up to release 1.7, `skipped` and `skip_message` from
// 1.8 on. The overload whose member exists is the one that is left; int is preferred to long for the literal 0.
template <typename Run> auto error_of(const Run &run, int) -> decltype(run.error_message.c_str())
{
    return run.error_occurred ? run.error_message.c_str() : nullptr;
}

template <typename Run> auto error_of(const Run &run, long) -> decltype(run.skip_message.c_str())
{
    return run.skipped ? run.skip_message.c_str() : nullptr;
}

class Collector final : public benchmark::BenchmarkReporter
{
  public:
    Collector(gbench_result_function function, void *context) : function_(function), context_(context)
    {
    }

    bool ReportContext(const Context &) override
    {
        return true;
    }

    void ReportRuns(const std::vector<Run> &runs) override
    {
        for (const Run &run : runs)
            report(run);
    }

  private:
    void report(const Run &run)
    {
        const std::string name = run.run_name.str();
        std::vector<gbench_counter> counters;
        for (const auto &counter : run.counters)
            counters.push_back({counter.first.c_str(), counter.second.value});

        // The accumulated times are seconds over all iterations, whatever unit the table is printed in. An
        // aggregate's are a statistic of exactly that; a ratio ("cv") has no unit.
        const bool aggregated = run.run_type == Run::RT_Aggregate;
        const bool ratio = aggregated && run.aggregate_unit == benchmark::kPercentage;
        const double iterations = run.iterations > 0 ? static_cast<double>(run.iterations) : 1;
        const double scale = ratio ? 1 : 1e9 / iterations;

        gbench_result result = {};
        result.name = name.c_str();
        result.aggregate = aggregated ? run.aggregate_name.c_str() : nullptr;
        result.label = run.report_label.c_str();
        result.error = error_of(run, 0);
        result.iterations = run.iterations;
        result.real_time = run.real_accumulated_time * scale;
        result.cpu_time = run.cpu_accumulated_time * scale;
        result.counters = counters.data();
        result.counter_count = counters.size();
        function_(&result, context_);
    }

    gbench_result_function function_;
    void *context_;
};

} // namespace

gbench_case *gbench_register(const char *name, gbench_function function, void *context)
{
    auto body = [function, context](benchmark::State &state) {
        function(reinterpret_cast<gbench_state *>(&state), context);
    };
    return reinterpret_cast<gbench_case *>(benchmark::RegisterBenchmark(name, body));
}

void gbench_add_args(gbench_case *benchmark, const int64_t *args, size_t count)
{
    cxx(benchmark)->Args(std::vector<int64_t>(args, args + count));
}

void gbench_set_arg_names(gbench_case *benchmark, const char *const *names, size_t count)
{
    cxx(benchmark)->ArgNames(std::vector<std::string>(names, names + count));
}

void gbench_set_unit(gbench_case *benchmark, gbench_unit unit)
{
    static const benchmark::TimeUnit units[] = {benchmark::kNanosecond, benchmark::kMicrosecond,
                                                benchmark::kMillisecond, benchmark::kSecond};
    cxx(benchmark)->Unit(units[unit]);
}

void gbench_use_real_time(gbench_case *benchmark)
{
    cxx(benchmark)->UseRealTime();
}

void gbench_use_manual_time(gbench_case *benchmark)
{
    cxx(benchmark)->UseManualTime();
}

void gbench_set_min_time(gbench_case *benchmark, double seconds)
{
    cxx(benchmark)->MinTime(seconds);
}

void gbench_set_iterations(gbench_case *benchmark, int64_t iterations)
{
    cxx(benchmark)->Iterations(iterations);
}

void gbench_set_repetitions(gbench_case *benchmark, int count)
{
    cxx(benchmark)->Repetitions(count);
}

void gbench_set_threads(gbench_case *benchmark, int count)
{
    cxx(benchmark)->Threads(count);
}

int64_t gbench_arg(const gbench_state *state, size_t index)
{
    return cxx(state).range(index);
}

bool gbench_keep_running(gbench_state *state)
{
    return cxx(state).KeepRunning();
}

uint64_t gbench_take_all(gbench_state *state)
{
    // A batch as large as the run: the second call finds nothing left and stops the clock.
    benchmark::State &run = cxx(state);
    const auto all = run.max_iterations;
    return run.KeepRunningBatch(all) ? static_cast<uint64_t>(all) : 0;
}

void gbench_pause_timing(gbench_state *state)
{
    cxx(state).PauseTiming();
}

void gbench_resume_timing(gbench_state *state)
{
    cxx(state).ResumeTiming();
}

void gbench_set_iteration_time(gbench_state *state, double seconds)
{
    cxx(state).SetIterationTime(seconds);
}

void gbench_skip_with_error(gbench_state *state, const char *message)
{
    runs_skipped++;
    cxx(state).SkipWithError(message);
}

int64_t gbench_iterations(const gbench_state *state)
{
    return cxx(state).iterations();
}

int gbench_thread_index(const gbench_state *state)
{
    return cxx(state).thread_index();
}

int gbench_threads(const gbench_state *state)
{
    return cxx(state).threads();
}

void gbench_set_counter(gbench_state *state, const char *name, double value, gbench_counter_kind kind)
{
    auto flags = benchmark::Counter::kDefaults;
    if (kind == GBENCH_RATE)
        flags = benchmark::Counter::kIsRate;
    else if (kind == GBENCH_PER_ITERATION)
        flags = benchmark::Counter::kAvgIterations;
    cxx(state).counters[name] = benchmark::Counter(value, flags);
}

void gbench_set_bytes_processed(gbench_state *state, int64_t bytes)
{
    cxx(state).SetBytesProcessed(bytes);
}

void gbench_set_items_processed(gbench_state *state, int64_t items)
{
    cxx(state).SetItemsProcessed(items);
}

void gbench_set_label(gbench_state *state, const char *label)
{
    cxx(state).SetLabel(label);
}

int gbench_main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 1;
    const size_t matched = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return matched == 0 || runs_skipped != 0;
}

size_t gbench_run(const char *filter, gbench_result_function function, void *context)
{
    // The filter is given as a flag because that is how all releases since 1.6 take it.
    std::string program = "gbench";
    std::string flag = std::string("--benchmark_filter=") + (filter != nullptr ? filter : ".");
    char *argv[] = {program.data(), flag.data(), nullptr};
    int argc = 2;
    benchmark::Initialize(&argc, argv);
    Collector collector(function, context);
    return benchmark::RunSpecifiedBenchmarks(&collector);
}

double gbench_result_counter(const gbench_result *result, const char *name, double otherwise)
{
    for (size_t i = 0; i < result->counter_count; i++)
        if (strcmp(result->counters[i].name, name) == 0)
            return result->counters[i].value;
    return otherwise;
}
