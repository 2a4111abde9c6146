package shale.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * CPU time of all threads, the virtual machine's own too. Java tells it in clock ticks, hundredths of a second, which is too
 * coarse for a short run: so it is summed over the threads that there are, in nanoseconds, where the
 * kernel tells that.
 */
final class CpuTime {
    private final Map<String, Long> threads = new HashMap<>();
    private final long coarse;

    /** Now. */
    CpuTime() {
        coarse = ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
        try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path task : tasks) {
                readThread(task);
            }
        } catch (IOException error) {
            threads.clear();
        }
    }

    private void readThread(Path task) {
        try {
            String text = Files.readString(task.resolve("schedstat"));
            threads.put(task.getFileName().toString(), Long.parseLong(text.substring(0, text.indexOf(' '))));
        } catch (IOException | IndexOutOfBoundsException | NumberFormatException error) {
            return; // it has just ended, or the kernel does not say
        }
    }

    /** Nanoseconds. */
    long since(CpuTime earlier) {
        if (threads.isEmpty() || earlier.threads.isEmpty()) {
            return coarse - earlier.coarse;
        }
        long spent = 0;
        for (Map.Entry<String, Long> thread : threads.entrySet()) {
            spent += thread.getValue() - earlier.threads.getOrDefault(thread.getKey(), 0L);
        }
        return spent;
    }
}
