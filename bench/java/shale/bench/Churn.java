package shale.bench;

/** Fragmentation churn: replaces random ones of many objects of 16 bytes to 4 KiB by ones of other sizes. */
final class Churn implements Workload {
    private static final int SIZE_BITS_LEAST = 4;
    private static final int SIZE_BITS = 8;
    private static final int LENGTH_MASK_BITS = 32;

    private static int randomLength(Mixing random) {
        long least = 1L << (SIZE_BITS_LEAST + random.below(SIZE_BITS));
        return (int) ((least + random.below(least) + Long.BYTES) / Long.BYTES);
    }

    /** The first word holds the object's length and a number, each other a number that follows. */
    private static long[] newObject(Mixing random, long number, Live live) {
        int length = randomLength(random);
        long[] object = new long[length];
        object[0] = number << LENGTH_MASK_BITS | length;
        for (int i = 1; i < length; i++) {
            object[i] = number + i;
        }
        live.add(1, (long) length * Long.BYTES);
        return object;
    }

    private static long readObject(long[] object) {
        return object[0] ^ object[(int) object[0] - 1] << LENGTH_MASK_BITS;
    }

    @Override
    public void run(Run run) {
        int objects = run.scale.of(2000, 40000, 200000);
        int replacements = run.scale.of(40000, 600000, 20000000);
        Mixing random = new Mixing(run.seed);
        Live live = new Live();
        long[][] table = new long[objects][];
        live.add(1, (long) objects * Long.BYTES);
        for (int i = 0; i < objects; i++) {
            table[i] = newObject(random, i, live);
        }
        run.live.raiseTo(live);
        run.latencyBegin();
        for (int i = 0; i < replacements; i++) {
            int index = (int) random.below(objects);
            long[] old = table[index];
            run.check(readObject(old));
            live.remove((long) old.length * Long.BYTES);
            table[index] = newObject(random, objects + i, live);
            run.live.raiseTo(live);
            run.latencyOperation();
        }
        for (int i = 0; i < objects; i++) {
            run.check(readObject(table[i]));
        }
        run.operations = (long) objects + replacements;
    }
}
