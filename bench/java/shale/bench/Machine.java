package shale.bench;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What this virtual machine was started with, by its own account. */
final class Machine {
    private static final Pattern COLLECTOR = Pattern.compile("-XX:\\+Use(Z|Shenandoah|G1|Parallel)(GC)?");
    private static final Pattern LOG = Pattern.compile("-Xlog:.*safepoint.*:file=([^:]+):(tn|timenanos)\\b.*");

    private Machine() {
    }

    private static List<String> options() {
        return ManagementFactory.getRuntimeMXBean().getInputArguments();
    }

    /** What results call the collector: "jvm-zgc" and so on; "jvm" when none was chosen. */
    static String manager() {
        for (String option : options()) {
            Matcher matcher = COLLECTOR.matcher(option);
            if (matcher.matches()) {
                return "jvm-" + (matcher.group(1).equals("Z") ? "zgc" : matcher.group(1).toLowerCase());
            }
        }
        return "jvm";
    }

    /** The file into which safepoints are logged, with the time of System.nanoTime; null when they are not. */
    static Path log() {
        for (String option : options()) {
            Matcher matcher = LOG.matcher(option);
            if (matcher.matches()) {
                return Path.of(matcher.group(1));
            }
        }
        return null;
    }
}
