package shale.bench;

/** Replaces the oldest of many buffers of 1 KiB, over and over. */
final class Ring implements Workload {
    private static final int BUFFER_LENGTH = 128; // words

    private static long[] newBuffer(long number) {
        long[] buffer = new long[BUFFER_LENGTH];
        for (int i = 0; i < BUFFER_LENGTH; i++) {
            buffer[i] = number + i;
        }
        return buffer;
    }

    private static long readBuffer(long[] buffer, long number) {
        return buffer[0] ^ buffer[(int) (number % BUFFER_LENGTH)] << 32;
    }

    @Override
    public void run(Run run) {
        int buffers = run.scale.of(2000, 100000, 1000000);
        int replacements = run.scale.of(20000, 500000, 5000000);
        long[][] ring = new long[buffers][];
        for (int i = 0; i < buffers; i++) {
            ring[i] = newBuffer(i);
        }
        run.latencyBegin();
        int oldest = 0;
        for (long i = buffers; i < (long) buffers + replacements; i++) {
            long[] buffer = newBuffer(i);
            long[] old = ring[oldest];
            ring[oldest] = buffer;
            run.check(readBuffer(old, i));
            oldest = oldest + 1 == buffers ? 0 : oldest + 1;
            run.latencyOperation();
        }
        for (int i = 0; i < buffers; i++) {
            run.check(readBuffer(ring[i], i));
        }
        run.operations = (long) buffers + replacements;
        run.live.add(buffers, BUFFER_LENGTH * Long.BYTES);
        run.live.add(1, (long) buffers * Long.BYTES);
    }
}
