package shale.bench;

/** Pointer graph mutation: changes random references in a graph of many nodes, and replaces their labels. */
final class Graph implements Workload {
    private static final int SLOTS = 4;
    private static final int LABEL_EVERY = 4;
    private static final int STORES_AT_A_TIME = 64;
    private static final int LABEL_LENGTH = 4;
    private static final int NODE_SIZE = 48; // in C
    private static final long LOW_HALF = 0xffffffffL;

    /** Four fields, not an array: the node in C is one object. */
    private static final class Node {
        Node first;
        Node second;
        Node third;
        Node fourth;
        long[] label;
        final long number;

        Node(long number) {
            this.number = number;
        }

        Node get(int slot) {
            return switch (slot) {
                case 0 -> first;
                case 1 -> second;
                case 2 -> third;
                default -> fourth;
            };
        }

        void set(int slot, Node target) {
            switch (slot) {
                case 0 -> first = target;
                case 1 -> second = target;
                case 2 -> third = target;
                default -> fourth = target;
            }
        }
    }

    private static long[] newLabel(long number) {
        long[] label = new long[LABEL_LENGTH];
        for (int i = 0; i < LABEL_LENGTH; i++) {
            label[i] = number;
        }
        return label;
    }

    /** What was referred to is read first: its number, or 0, is added to the checksum. */
    private static void storeReference(Run run, Mixing random, Node[] table) {
        long drawn = random.next();
        Node node = table[(int) ((drawn >>> 32) * table.length >>> 32)];
        Node target = table[(int) ((drawn & LOW_HALF) * table.length >>> 32)];
        int slot = (int) (drawn & (SLOTS - 1));
        Node old = node.get(slot);
        if (old != null) {
            run.checksum += old.number;
        }
        node.set(slot, target);
    }

    private static void replaceLabel(Run run, Mixing random, Node[] table, long number) {
        long[] label = newLabel(number);
        Node node = table[(int) random.below(table.length)];
        run.check(node.label[(int) (number % LABEL_LENGTH)]);
        node.label = label;
    }

    @Override
    public void run(Run run) {
        int nodes = run.scale.of(10000, 200000, 2000000);
        int stores = run.scale.of(400000, 3000000, 50000000);
        Mixing random = new Mixing(run.seed);
        Node[] table = new Node[nodes];
        for (int i = 0; i < nodes; i++) {
            Node node = new Node(i);
            node.label = newLabel(i);
            table[i] = node;
        }
        run.latencyBegin();
        for (long i = 0; i < stores; i += STORES_AT_A_TIME) {
            for (long number = i; number < i + STORES_AT_A_TIME; number++) {
                if (number % LABEL_EVERY == 0) {
                    replaceLabel(run, random, table, number);
                } else {
                    storeReference(run, random, table);
                }
            }
            run.latencyOperation();
        }
        for (Node node : table) {
            for (int slot = 0; slot < SLOTS; slot++) {
                Node target = node.get(slot);
                run.check(target == null ? 0 : target.number);
            }
            run.check(node.label[0]);
        }
        run.operations = stores;
        run.live.add(1, (long) nodes * Long.BYTES);
        run.live.add(nodes, NODE_SIZE);
        run.live.add(nodes, LABEL_LENGTH * Long.BYTES);
    }
}
