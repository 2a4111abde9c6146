package shale.bench;

/** Big arrays: replaces arrays of 64 KiB to 4 MiB, and objects that a huge array of references refers to. */
final class Arrays implements Workload {
    private static final int ARRAYS = 24;
    private static final int CELLS_AT_A_TIME = 1000;
    private static final int CELL_LENGTH = 2;
    private static final int READ_EVERY = 64;
    private static final int LENGTH_BITS = 6;

    private static long[] newCell(long number) {
        return new long[] {number, ~number};
    }

    private static void replaceCells(Run run, Mixing random, long[][] cells, long number) {
        for (long i = 0; i < CELLS_AT_A_TIME; i++) {
            long[] cell = newCell(number * CELLS_AT_A_TIME + i);
            int index = (int) random.below(cells.length);
            long[] old = cells[index];
            run.check(old[0] - old[1]);
            cells[index] = cell;
        }
    }

    /** From the least to 64 times that, as many between each two powers of two. */
    private static int randomLength(Mixing random, int lengthLeast) {
        int least = lengthLeast << random.below(LENGTH_BITS);
        return least + (int) random.below(least);
    }

    private static void readArray(Run run, long[] array) {
        long sum = 0;
        for (int i = 0; i < array.length; i += READ_EVERY) {
            sum += array[i];
        }
        run.check(sum);
    }

    private static long[] newArray(int length, long number) {
        long[] array = new long[length];
        for (int i = 0; i < length; i++) {
            array[i] = number + i;
        }
        return array;
    }

    @Override
    public void run(Run run) {
        int lengthLeast = run.scale.of(512, 4096, 8192);
        int operations = run.scale.of(250, 300, 4000);
        long[][] cells = new long[run.scale.of(20000, 300000, 3000000)][];
        long[][] arrays = new long[ARRAYS][];
        Mixing random = new Mixing(run.seed);
        for (int i = 0; i < cells.length; i++) {
            cells[i] = newCell(i);
        }
        long arrayBytes = 0;
        long mostArrayBytes = 0;
        run.latencyBegin();
        for (int i = 0; i < operations; i++) {
            int index = (int) random.below(ARRAYS);
            if (arrays[index] != null) {
                readArray(run, arrays[index]);
                arrayBytes -= (long) arrays[index].length * Long.BYTES;
                arrays[index] = null; // dropped before there is a new one
            }
            int length = randomLength(random, lengthLeast);
            arrayBytes += (long) length * Long.BYTES;
            mostArrayBytes = Math.max(mostArrayBytes, arrayBytes);
            arrays[index] = newArray(length, i);
            replaceCells(run, random, cells, i);
            run.latencyOperation();
        }
        for (long[] cell : cells) {
            run.check(cell[0]);
        }
        run.operations = operations;
        run.live.add(1, (long) cells.length * Long.BYTES);
        run.live.add(cells.length, CELL_LENGTH * Long.BYTES);
        run.live.add(1, mostArrayBytes);
    }
}
