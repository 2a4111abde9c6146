package shale.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/**
 * Runs work on several threads, of which the calling one is the last. The others stay when their work is done, so that their
 * CPU time can still be read.
 */
final class Threads {
    private static final ExecutorService OTHERS = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "worker");
        thread.setDaemon(true);
        return thread;
    });

    private Threads() {
    }

    /** What goes wrong in a thread goes wrong here. */
    static void run(int threads, IntConsumer work) throws InterruptedException {
        List<Future<?>> others = new ArrayList<>();
        for (int i = 0; i < threads - 1; i++) {
            int index = i;
            others.add(OTHERS.submit(() -> work.accept(index)));
        }
        work.accept(threads - 1);
        for (Future<?> other : others) {
            try {
                other.get();
            } catch (ExecutionException failure) {
                if (failure.getCause() instanceof Error error) {
                    throw error;
                }
                throw new IllegalStateException(failure.getCause());
            }
        }
    }
}
