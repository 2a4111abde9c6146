package shale.bench;

/** Random numbers and checksums: the same as in the programs in C. */
final class Mixing {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private long state;

    Mixing(long seed) {
        state = seed;
    }

    /** splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
    long next() {
        long z = state += GOLDEN;
        z = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        z = (z ^ (z >>> 27)) * 0x94d049bb133111ebL;
        return z ^ (z >>> 31);
    }

    /** For limits of at most 2^32. */
    long below(long limit) {
        return (next() >>> 32) * limit >>> 32;
    }

    static long checksum(long checksum, long value) {
        long mixed = (checksum ^ value) * GOLDEN;
        return mixed ^ (mixed >>> 32);
    }
}
