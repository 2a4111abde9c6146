package shale.bench;

import java.util.Map;

/** The options of the programs in C, as far as they mean something here. */
final class CommandLine {
    static final class UsageException extends Exception {
        private static final long serialVersionUID = 1;

        UsageException(String what, String value) {
            super("shale.bench.Main: " + what + ": \"" + value + "\"\nTry: --help");
        }
    }

    String name;
    Workload workload;
    boolean help;
    Scale scale = Scale.FULL;
    int threads = 1;
    long seed = 1;
    String corpus = "/usr/include";
    String histogram;
    double warmUp = -1;
    /** What the virtual machine was given; here it is only told. */
    long heapBytes;

    static String help(Map<String, Workload> workloads) {
        return """
                usage: java [JVM OPTION...] shale.bench.Main WORKLOAD [OPTION...]

                Runs a workload in Java and prints one JSON object, as the programs in C do. Which collector it runs under,
                and a log of safepoints to read stops from, are options of the virtual machine:

                    -XX:+UseZGC -Xms64M -Xmx64M -Xlog:disable -Xlog:gc,safepoint:file=FILE:timenanos

                Workloads: %s.

                  --scale SCALE       full (default), quick or tiny
                  --threads N         threads that do the work (default 1)
                  --seed N            of the random numbers (default 1)
                  --corpus FOLDER     C headers to parse (default /usr/include), where the workload does so
                  --histogram FILE    write the latencies there as well, in HdrHistogram's format (.hgrm)
                  --warm-up SECONDS   how long to repeat the workload at scale tiny first (default 2, quick 0.5, tiny 0)
                  --heap-bytes N      the size of the heap, as given to the virtual machine
                  --help              print this

                Exit code: 0 done; 2 usage; 3 failed, with the reason in the object.""".formatted(
                String.join(", ", workloads.keySet()));
    }

    static CommandLine read(String[] arguments, Map<String, Workload> workloads) throws UsageException {
        CommandLine command = new CommandLine();
        for (int i = 0; i < arguments.length; i++) {
            String option = arguments[i];
            if (option.equals("--help")) {
                command.help = true;
                return command;
            }
            if (!option.startsWith("--")) {
                command.chooseWorkload(option, workloads);
                continue;
            }
            if (i + 1 == arguments.length) {
                throw new UsageException("this option wants a value", option);
            }
            command.set(option, arguments[++i]);
        }
        if (command.workload == null) {
            throw new UsageException("a workload is missing; there are", String.join(", ", workloads.keySet()));
        }
        if (command.threads > command.workload.threadsMax()) {
            throw new UsageException("this workload has at most " + command.workload.threadsMax() + " threads",
                    String.valueOf(command.threads));
        }
        if (command.warmUp < 0) {
            command.warmUp = command.scale == Scale.FULL ? 2 : command.scale == Scale.QUICK ? 0.5 : 0;
        }
        return command;
    }

    private void chooseWorkload(String wanted, Map<String, Workload> workloads) throws UsageException {
        if (workload != null || !workloads.containsKey(wanted)) {
            throw new UsageException("this is no workload", wanted);
        }
        name = wanted;
        workload = workloads.get(wanted);
    }

    private void set(String option, String value) throws UsageException {
        try {
            switch (option) {
                case "--scale" -> scale = Scale.valueOf(value.toUpperCase());
                case "--threads" -> threads = Integer.parseInt(value);
                case "--seed" -> seed = Long.parseUnsignedLong(value);
                case "--heap-bytes" -> heapBytes = Long.parseLong(value);
                case "--corpus" -> corpus = value;
                case "--histogram" -> histogram = value;
                case "--warm-up" -> warmUp = Double.parseDouble(value);
                default -> throw new UsageException("there is no such option", option);
            }
        } catch (IllegalArgumentException problem) {
            throw new UsageException(option + " does not take this", value);
        }
        if (threads < 1) {
            throw new UsageException("--threads wants a number from 1 on", value);
        }
    }
}
