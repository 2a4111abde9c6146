package shale.bench;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * How often which duration occurred, in the log-linear classes of the programs in C: exact below 128 ns, above that 64
 * for each power of two. Recording allocates nothing.
 */
final class Histogram {
    private static final int CLASS_BITS = 6;
    private static final int VALUE_BITS = 40;
    private static final int CLASSES = (VALUE_BITS - CLASS_BITS + 1) << CLASS_BITS;
    private static final double MICROSECOND = 1000;
    private static final int TICKS = 5;

    private final long[] counts = new long[CLASSES];
    private long count;
    private long maximum;

    private static int classOf(long value) {
        if (value >>> VALUE_BITS != 0) {
            return CLASSES - 1;
        }
        if (value >>> (CLASS_BITS + 1) == 0) {
            return (int) value;
        }
        int shift = 63 - Long.numberOfLeadingZeros(value) - CLASS_BITS;
        return (shift << CLASS_BITS) + (int) (value >>> shift);
    }

    /** The largest value of a class. */
    static long upper(int index) {
        if (index >>> (CLASS_BITS + 1) == 0) {
            return index;
        }
        int shift = (index >>> CLASS_BITS) - 1;
        long leading = (index & ((1 << CLASS_BITS) - 1)) + (1 << CLASS_BITS);
        return ((leading + 1) << shift) - 1;
    }

    void record(long value) {
        counts[classOf(value)]++;
        count++;
        if (value > maximum) {
            maximum = value;
        }
    }

    long count() {
        return count;
    }

    long maximum() {
        return maximum;
    }

    /** The value that so many of a million values do not exceed: the largest of its class, but no more than the maximum. */
    long percentile(long perMillion) {
        if (count == 0) {
            return 0;
        }
        long rank = Math.max(1, (count * perMillion + 999_999) / 1_000_000);
        long seen = 0;
        for (int i = 0; i < CLASSES - 1; i++) {
            seen += counts[i];
            if (seen >= rank) {
                return Math.min(upper(i), maximum);
            }
        }
        return maximum;
    }

    /** "[[upper,count],...]" of the classes that occurred. */
    String json() {
        StringBuilder text = new StringBuilder("[");
        for (int i = 0; i < CLASSES; i++) {
            if (counts[i] != 0) {
                text.append(text.length() > 1 ? "," : "").append('[').append(upper(i)).append(',').append(counts[i]).append(']');
            }
        }
        return text.append(']').toString();
    }

    /** Writes the distribution of percentiles in HdrHistogram's format, in microseconds. */
    void writeHgrm(Path path) throws IOException {
        try (PrintWriter file = new PrintWriter(Files.newBufferedWriter(path))) {
            file.printf("%12s %14s %10s %14s%n%n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
            writePercentiles(file);
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < CLASSES; i++) {
                sum += (double) upper(i) * counts[i];
                squares += (double) upper(i) * upper(i) * counts[i];
            }
            double mean = sum / Math.max(1, count);
            double deviation = Math.sqrt(Math.max(0, squares / Math.max(1, count) - mean * mean));
            file.printf(Locale.ROOT, "#[Mean    = %12.3f, StdDeviation   = %12.3f]%n", mean / MICROSECOND,
                    deviation / MICROSECOND);
            file.printf(Locale.ROOT, "#[Max     = %12.3f, Total count    = %12d]%n", maximum / MICROSECOND, count);
            file.printf("#[Buckets = %12d, SubBuckets     = %12d]%n", VALUE_BITS - CLASS_BITS, 1 << (CLASS_BITS + 1));
        }
    }

    /** Each halving of what is left above the percentile is cut into five, as HdrHistogram's own output is. */
    private void writePercentiles(PrintWriter file) {
        long seen = 0;
        double percentile = 0;
        double step = 0.5 / TICKS;
        int ticks = 0;
        for (int i = 0; i < CLASSES && seen < count; i++) {
            if (counts[i] == 0) {
                continue;
            }
            seen += counts[i];
            double value = Math.min(upper(i), maximum) / MICROSECOND;
            while (percentile <= (double) seen / count && seen < count) {
                file.printf(Locale.ROOT, "%12.3f %2.12f %10d %14.2f%n", value, percentile, seen, 1 / (1 - percentile));
                percentile += step;
                if (++ticks == TICKS) {
                    ticks = 0;
                    step /= 2;
                }
            }
        }
        if (count != 0) {
            file.printf(Locale.ROOT, "%12.3f %2.12f %10d%n", maximum / MICROSECOND, 1.0, count);
        }
    }
}
