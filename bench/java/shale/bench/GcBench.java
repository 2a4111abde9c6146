package shale.bench;

/** GCBench: builds and drops trees of all sizes, while a tree and an array stay. */
final class GcBench implements Workload {
    private static final int DEPTH_LEAST = 4;
    private static final int NODE_SIZE = 24; // in C

    private static final class Node {
        Node left;
        Node right;
        int first; // the original's, which it never looks at
        int second;

        Node() {
        }

        Node(Node left, Node right) {
            this.left = left;
            this.right = right;
        }
    }

    private static void populate(int depth, Node node) {
        if (depth > 0) {
            node.left = new Node();
            node.right = new Node();
            populate(depth - 1, node.left);
            populate(depth - 1, node.right);
        }
    }

    private static Node makeTopDown(int depth) {
        Node root = new Node();
        populate(depth, root);
        return root;
    }

    private static Node makeBottomUp(int depth) {
        if (depth == 0) {
            return new Node();
        }
        Node left = makeBottomUp(depth - 1);
        return new Node(left, makeBottomUp(depth - 1));
    }

    private static long leftDepth(Node root) {
        long depth = 0;
        for (Node node = root.left; node != null; node = node.left) {
            depth++;
        }
        return depth;
    }

    private static long countNodes(Node node) {
        return node == null ? 0 : 1 + countNodes(node.left) + countNodes(node.right);
    }

    private static long nodesOf(int depth) {
        return (2L << depth) - 1;
    }

    private static void makeTrees(Run run, int depthMost) {
        for (int depth = DEPTH_LEAST; depth <= depthMost; depth += 2) {
            long count = 2 * nodesOf(depthMost) / nodesOf(depth);
            for (long i = 0; i < count; i++) {
                run.check(leftDepth(makeTopDown(depth)));
            }
            for (long i = 0; i < count; i++) {
                run.check(leftDepth(makeBottomUp(depth)));
            }
            run.operations += 2 * count * nodesOf(depth);
        }
    }

    @Override
    public void run(Run run) {
        int depth = run.scale.of(12, 16, 18);
        int longLivedDepth = run.scale.of(10, 14, 16);
        int length = run.scale.of(5000, 125000, 500000);
        run.check(leftDepth(makeTopDown(depth)));
        Node longLived = makeTopDown(longLivedDepth);
        double[] array = new double[length];
        for (int i = 0; i < length; i++) {
            array[i] = 1.0 / (i + 1);
        }
        run.operations = nodesOf(depth) + nodesOf(longLivedDepth) + 1;
        makeTrees(run, depth);
        run.check(countNodes(longLived));
        long sum = 0;
        for (double element : array) {
            sum += Double.doubleToRawLongBits(element);
        }
        run.check(sum);
        run.live.add(nodesOf(depth) + nodesOf(longLivedDepth), NODE_SIZE);
        run.live.add(1, (long) length * Double.BYTES);
    }
}
