package shale.bench;

import java.util.concurrent.atomic.AtomicLong;

/** Binary trees: builds, counts and drops many, while one of the largest stays. */
final class Trees implements Workload {
    private static final int DEPTH_LEAST = 4;
    private static final int NODE_SIZE = 16; // in C
    private static final int THREADS_MAX = 64;

    private record Node(Node left, Node right) {
    }

    private static Node makeTree(int depth) {
        if (depth == 0) {
            return new Node(null, null);
        }
        Node left = makeTree(depth - 1);
        return new Node(left, makeTree(depth - 1));
    }

    private static long countNodes(Node node) {
        return node == null ? 0 : 1 + countNodes(node.left) + countNodes(node.right);
    }

    private static long makeAndDrop(int depth) {
        return countNodes(makeTree(depth));
    }

    private static long makeTrees(int depthMost, int index, int threads) {
        long nodes = 0;
        for (int depth = DEPTH_LEAST; depth <= depthMost; depth += 2) {
            for (long i = index; i < 1L << (depthMost - depth + DEPTH_LEAST); i += threads) {
                nodes += makeAndDrop(depth);
            }
        }
        return nodes;
    }

    @Override
    public int threadsMax() {
        return THREADS_MAX;
    }

    @Override
    public void run(Run run) throws Exception {
        int depth = run.scale.of(12, 15, 18);
        long nodes = makeAndDrop(depth + 1);
        Node longLived = makeTree(depth);
        AtomicLong dropped = new AtomicLong();
        Threads.run(run.threads, index -> dropped.addAndGet(makeTrees(depth, index, run.threads)));
        nodes += countNodes(longLived) + dropped.get();
        run.check(nodes);
        run.operations = nodes;
        run.live.add((1 + run.threads) * ((2L << depth) - 1), NODE_SIZE);
    }
}
