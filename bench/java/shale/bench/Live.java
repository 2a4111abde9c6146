package shale.bench;

/** Bytes of live objects, as requested in C: so that all managers are held against the same number. */
final class Live {
    private static final long HEADER = 8;
    private static final long GRANULE = 16;

    private long bytes;
    /** With a word in front of each object, rounded up to granules. */
    private long heapBytes;

    private static long withHeader(long size) {
        return (size + HEADER + GRANULE - 1) / GRANULE * GRANULE;
    }

    void add(long count, long size) {
        bytes += count * size;
        heapBytes += count * withHeader(size);
    }

    void remove(long size) {
        bytes -= size;
        heapBytes -= withHeader(size);
    }

    void add(Live other) {
        bytes += other.bytes;
        heapBytes += other.heapBytes;
    }

    void remove(Live other) {
        bytes -= other.bytes;
        heapBytes -= other.heapBytes;
    }

    /** Becomes as large as that, unless it is already. */
    void raiseTo(Live other) {
        if (other.bytes > bytes) {
            bytes = other.bytes;
            heapBytes = other.heapBytes;
        }
    }

    long bytes() {
        return bytes;
    }

    long heapBytes() {
        return heapBytes;
    }
}
