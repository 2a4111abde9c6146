package shale.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * When the virtual machine stopped the program, read from its own log: -Xlog:gc,safepoint with the decoration timenanos, which
 * is the clock of System.nanoTime. All safepoints count, whatever they were for: the program stands still in all of them.
 * A stop begins when it is asked for, as Shale's does.
 */
final class Stops {
    /** In milliseconds. */
    static final int[] WINDOWS = {1, 2, 5, 10, 20, 50, 100, 200, 500};

    private static final Pattern LINE =
            Pattern.compile("^\\[(\\d+)ns\\].*Safepoint \"[^\"]*\".*Total:\\s*(\\d+) ns");
    private static final Pattern STALL = Pattern.compile("^\\[(\\d+)ns\\].*Allocation Stall \\(");
    private static final long MILLISECOND = 1_000_000;

    private final long begin;
    private final long end;
    private long[] begins = new long[64];
    private long[] ends = new long[64];
    private int count;
    private long allocationStalls;

    /** Of those within [begin, end). */
    Stops(Path log, long begin, long end) throws IOException {
        this.begin = begin;
        this.end = end;
        try (BufferedReader reader = Files.newBufferedReader(log)) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                read(line);
            }
        }
    }

    /** A line is written when the stop is over. */
    private void read(String line) {
        Matcher safepoint = LINE.matcher(line);
        if (safepoint.find()) {
            long over = Long.parseLong(safepoint.group(1));
            long began = over - Long.parseLong(safepoint.group(2));
            if (began >= begin && over <= end) {
                add(began, over);
            }
            return;
        }
        Matcher stall = STALL.matcher(line);
        if (stall.find()) {
            long at = Long.parseLong(stall.group(1));
            allocationStalls += at >= begin && at <= end ? 1 : 0;
        }
    }

    private void add(long began, long over) {
        if (count == begins.length) {
            begins = Arrays.copyOf(begins, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
        }
        // The log is written a little later than the stop ends, so that one may seem to begin within the one before.
        begins[count] = count == 0 ? began : Math.max(began, ends[count - 1]);
        ends[count] = over;
        count++;
    }

    long allocationStalls() {
        return allocationStalls;
    }

    private long percentile(long[] sorted, long perMillion) {
        return count == 0 ? 0 : sorted[(int) Math.max(0, (count * perMillion + 999_999) / 1_000_000 - 1)];
    }

    String json() {
        long[] durations = new long[count];
        long total = 0;
        for (int i = 0; i < count; i++) {
            durations[i] = ends[i] - begins[i];
            total += durations[i];
        }
        Arrays.sort(durations);
        return String.format("{\"count\":%d,\"total_ns\":%d,\"p50\":%d,\"p99\":%d,\"max\":%d}", count, total,
                percentile(durations, 500_000), percentile(durations, 990_000), percentile(durations, 1_000_000));
    }

    String mmuJson() {
        StringBuilder text = new StringBuilder("[");
        for (int window : WINDOWS) {
            text.append(text.length() > 1 ? "," : "").append(
                    String.format(java.util.Locale.ROOT, "[%d,%.6f]", window, minimumUtilisation(window * MILLISECOND)));
        }
        return text.append(']').toString();
    }

    /** Minimum mutator utilisation: the worst window begins where a stop begins, or ends where one ends, or lies at an end. */
    double minimumUtilisation(long wanted) {
        long window = Math.min(wanted, end - begin);
        if (window <= 0) {
            return 1;
        }
        long worst = Math.max(stoppedWithin(begin, begin + window), stoppedWithin(end - window, end));
        for (int i = 0; i < count; i++) {
            long from = Math.min(begins[i], end - window);
            long to = Math.max(ends[i], begin + window);
            worst = Math.max(worst, Math.max(stoppedWithin(from, from + window), stoppedWithin(to - window, to)));
        }
        return 1 - (double) worst / window;
    }

    private long stoppedWithin(long from, long to) {
        int first = Arrays.binarySearch(ends, 0, count, from);
        long stopped = 0;
        for (int i = first < 0 ? -first - 1 : first; i < count && begins[i] < to; i++) {
            stopped += Math.max(0, Math.min(ends[i], to) - Math.max(begins[i], from));
        }
        return stopped;
    }
}
