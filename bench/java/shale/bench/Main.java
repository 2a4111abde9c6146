package shale.bench;

import java.io.IOException;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Runs one of the workloads and prints a JSON object, as the programs in C do.
 *
 * <p>The workload is run at the smallest scale first, for some time, so that its code is compiled; nothing of that is counted.
 * Counted is from the call of the workload to its return; the start of the virtual machine is not. How much memory the process
 * takes is seen better from outside, and left to who started it.
 */
final class Main {
    private static final int EXIT_USAGE = 2;
    private static final int EXIT_FAILED = 3;
    private static final double SECOND = 1e9;

    private static final Map<String, Workload> WORKLOADS = new TreeMap<>(Map.of(
            "arrays", new Arrays(), "ast", new Ast(), "churn", new Churn(), "gcbench", new GcBench(), "graph", new Graph(),
            "lru", new Lru(), "ring", new Ring(), "trees", new Trees()));

    private final CommandLine command;
    private Run run;
    private long wall;
    private long cpu;
    private long cycles;
    private Stops stops;

    private Main(CommandLine command) {
        this.command = command;
    }

    private Run newRun(Scale scale) throws IOException {
        int corpusBytes = command.workload.corpusBytes(scale);
        byte[][] files = corpusBytes == 0 ? null : Corpus.read(command.corpus, corpusBytes);
        return new Run(scale, command.threads, command.seed, files);
    }

    /** ZGC and Shenandoah count their pauses in a bean of its own beside that of the cycles. */
    private static long cycleCount() {
        long count = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            count += collector.getName().endsWith("Pauses") ? 0 : collector.getCollectionCount();
        }
        return count;
    }

    private void warmUp() throws Exception {
        long end = System.nanoTime() + (long) (command.warmUp * SECOND);
        do {
            command.workload.run(newRun(Scale.TINY));
        } while (System.nanoTime() < end);
        System.gc(); // so that its garbage is not collected in the time that counts
    }

    private void measure() throws Exception {
        run = newRun(command.scale);
        warmUp();
        long cyclesBefore = cycleCount();
        CpuTime cpuBefore = new CpuTime();
        long begin = System.nanoTime();
        command.workload.run(run);
        long end = System.nanoTime();
        wall = end - begin;
        cpu = new CpuTime().since(cpuBefore);
        cycles = cycleCount() - cyclesBefore;
        if (Machine.log() != null) {
            stops = new Stops(Machine.log(), begin, end);
        }
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private String latencyJson() {
        Histogram latency = run.latency;
        if (latency.count() == 0) {
            return "null";
        }
        return String.format("{\"count\":%d,\"p50\":%d,\"p99\":%d,\"p999\":%d,\"p9999\":%d,\"max\":%d,\"histogram\":%s}",
                latency.count(), latency.percentile(500_000), latency.percentile(990_000), latency.percentile(999_000),
                latency.percentile(999_900), latency.maximum(), latency.json());
    }

    private String start() {
        return String.format("{\"workload\":%s,\"manager\":%s,\"mode\":\"\",\"threads\":%d,\"scale\":\"%s\",\"seed\":%s,\"heap_bytes\":%s",
                quoted(command.name), quoted(Machine.manager()), command.threads, command.scale.label(),
                Long.toUnsignedString(command.seed), command.heapBytes == 0 ? "null" : Long.toString(command.heapBytes));
    }

    private String result() {
        return start() + String.format(Locale.ROOT,
                ",\"ok\":true,\"error\":\"\",\"wall_seconds\":%.6f,\"cpu_seconds\":%.6f,\"operations\":%d,\"latency\":%s,"
                + "\"stops\":%s,\"mmu\":%s,\"faults\":null,\"allocation_stalls\":%s,\"cycles\":%d,\"peak_memory_bytes\":null,"
                + "\"live_bytes\":%d,\"heap_live_bytes\":%d,\"checksum\":\"%016x\",\"details\":%s}",
                wall / SECOND, cpu / SECOND, run.operations, latencyJson(), stops == null ? "null" : stops.json(),
                stops == null ? "null" : stops.mmuJson(),
                stops == null || !Machine.manager().equals("jvm-zgc") ? "null" : Long.toString(stops.allocationStalls()), cycles,
                run.live.bytes(), run.live.heapBytes(), run.checksum,
                quoted(System.getProperty("java.vm.name") + " " + Runtime.version()));
    }

    private String failure(Throwable error) {
        return start() + ",\"ok\":false,\"error\":" + quoted(error instanceof IOException ? error.getMessage() : error.toString()) + "}";
    }

    public static void main(String[] arguments) throws IOException {
        CommandLine command = null;
        try {
            command = CommandLine.read(arguments, WORKLOADS);
        } catch (CommandLine.UsageException problem) {
            System.err.println(problem.getMessage());
            System.exit(EXIT_USAGE);
        }
        if (command.help) {
            System.out.println(CommandLine.help(WORKLOADS));
            return;
        }
        Main main = new Main(command);
        try {
            main.measure();
            if (command.histogram != null) {
                main.run.latency.writeHgrm(Path.of(command.histogram));
            }
        } catch (Exception | OutOfMemoryError error) {
            System.out.println(main.failure(error));
            System.out.flush();
            Runtime.getRuntime().halt(EXIT_FAILED); // another thread may have no memory either, and never end
        }
        System.out.println(main.result());
    }
}
