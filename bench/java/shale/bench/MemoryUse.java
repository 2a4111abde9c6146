package shale.bench;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The most memory that this process has made the machine give it, counted as for the programs in C: private anonymous memory,
 * page tables and memory files, each page once. The last are ZGC's heap, which it maps several times over: their pages
 * are in the resident size once for each mapping, so the proportional size of shared memory is taken instead.
 */
final class MemoryUse extends Thread {
    private static final int PERIOD_MILLISECONDS = 5;
    private static final int SELDOM = 20; // page tables and shared memory are slow to tell
    private static final int PAGE = 4096; // statm's unit where a virtual machine with these collectors runs
    private static final int TEXT_MAX = 8192;
    private static final long KIB = 1024;

    private final byte[] text = new byte[TEXT_MAX];
    private volatile boolean stop;
    private long peak;

    MemoryUse() {
        super("memory use");
        setDaemon(true);
    }

    @Override
    public void run() {
        try {
            boolean memoryFiles = hasMemoryFiles();
            long seldom = 0;
            for (int turn = 0;; turn++) {
                boolean last = stop;
                if (last || turn % SELDOM == 0) {
                    seldom = field("/proc/self/status", "VmPTE:") + (memoryFiles ? field("/proc/self/smaps_rollup", "Pss_Shmem:") : 0);
                }
                peak = Math.max(peak, anonymous() + seldom);
                if (last) {
                    return;
                }
                sleep(PERIOD_MILLISECONDS);
            }
        } catch (IOException | InterruptedException | OutOfMemoryError error) {
            peak = 0; // not known
        }
    }

    /** Looks once more; the most that was seen, 0 if it is not known. */
    long finish() throws InterruptedException {
        stop = true;
        join();
        return peak;
    }

    private static boolean hasMemoryFiles() throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path file : files) {
                try {
                    if (Files.readSymbolicLink(file).toString().startsWith("/memfd:")) {
                        return true;
                    }
                } catch (IOException error) {
                    continue; // the one of the folder itself, closed by now
                }
            }
        }
        return false;
    }

    private String read(String path) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(path, "r")) {
            int length = 0;
            for (int more = file.read(text); more > 0; more = file.read(text, length, TEXT_MAX - length)) {
                length += more;
            }
            return new String(text, 0, length, StandardCharsets.US_ASCII);
        }
    }

    private long anonymous() throws IOException {
        String[] numbers = read("/proc/self/statm").split(" ");
        return (Long.parseLong(numbers[1]) - Long.parseLong(numbers[2])) * PAGE;
    }

    /** Bytes; 0 when there is no such field. */
    private long field(String path, String name) throws IOException {
        for (String line : read(path).split("\n")) {
            if (line.startsWith(name)) {
                return Long.parseLong(line.substring(name.length()).replace("kB", "").trim()) * KIB;
            }
        }
        return 0;
    }
}
