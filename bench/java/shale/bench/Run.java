package shale.bench;

/** What a workload is asked to do, and what it tells: struct run of the programs in C, with the same meanings. */
final class Run {
    private static final long LIVE_HEADER = 8;
    private static final long LIVE_GRANULE = 16;

    final Scale scale;
    final int threads;
    final long seed;
    final String corpus;

    long operations;
    long checksum;
    /** As counted for the programs in C, so that all managers are held against the same number. */
    long liveBytes;
    long heapLiveBytes;
    final Histogram latency = new Histogram();
    private long last;

    Run(Scale scale, int threads, long seed, String corpus) {
        this.scale = scale;
        this.threads = threads;
        this.seed = seed;
        this.corpus = corpus;
    }

    /** Depends on all values and their order. */
    void check(long value) {
        checksum = Mixing.checksum(checksum, value);
    }

    /** So many objects of this size, in C, are live where most are. */
    void live(long count, long size) {
        liveBytes += count * size;
        heapLiveBytes += count * ((size + LIVE_HEADER + LIVE_GRANULE - 1) / LIVE_GRANULE * LIVE_GRANULE);
    }

    void latencyBegin() {
        last = System.nanoTime();
    }

    /** An operation begins where the last one ended, so that nothing that holds the program up falls between them. */
    void latencyOperation() {
        long now = System.nanoTime();
        latency.record(now - last);
        last = now;
    }
}
