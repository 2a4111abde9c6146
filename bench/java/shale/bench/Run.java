package shale.bench;

/** What a workload is asked to do, and what it tells: struct run of the programs in C, with the same meanings. */
final class Run {
    final Scale scale;
    final int threads;
    final long seed;
    /** Texts, of a workload that wants some. */
    final byte[][] files;

    long operations;
    long checksum;
    /** Where most was live. */
    final Live live = new Live();
    final Histogram latency = new Histogram();
    private long last;

    Run(Scale scale, int threads, long seed, byte[][] files) {
        this.scale = scale;
        this.threads = threads;
        this.seed = seed;
        this.files = files;
    }

    /** Depends on all values and their order. */
    void check(long value) {
        checksum = Mixing.checksum(checksum, value);
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
