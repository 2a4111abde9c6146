package shale.bench;

import java.util.Arrays;

/** Parses C headers over and over; their syntax trees stay until the next time. */
final class Ast implements Workload {
    private static final int SYMBOL_CHAINS = 1 << 14;
    private static final int ITEMS_LEAST = 4;
    private static final int NODE_SIZE = 40; // in C, as the following
    private static final int SYMBOL_SIZE = 32;

    private enum Kind { NAME, LITERAL, EMPTY, SEQUENCE, GROUP, UNARY, BINARY }

    private static final class Symbol {
        final Symbol chain;
        final byte[] text;
        final int hash;
        long uses;

        Symbol(Symbol chain, byte[] text, int hash) {
            this.chain = chain;
            this.text = text;
            this.hash = hash;
        }
    }

    private static final class Node {
        Node left;
        Node right;
        Node[] items;
        Symbol symbol;
        byte[] text;
        final Kind kind;
        final int detail; // an operator's code, the number of items, a text's length

        Node(Kind kind, int detail) {
            this.kind = kind;
            this.detail = detail;
        }
    }

    /** A list of nodes whose array grows by doubling. */
    private static final class Items {
        private final Live live;
        private Node[] at;
        private int count;

        Items(Live live) {
            this.live = live;
        }

        void append(Node node) {
            if (at == null || count == at.length) {
                int larger = at == null ? ITEMS_LEAST : 2 * at.length;
                live.add(1, (long) larger * Long.BYTES);
                if (at == null) {
                    at = new Node[larger];
                } else {
                    live.remove((long) at.length * Long.BYTES);
                    at = Arrays.copyOf(at, larger);
                }
            }
            at[count++] = node;
        }
    }

    private static final class Parser {
        private final Symbol[] symbols = new Symbol[SYMBOL_CHAINS];
        private final Live symbolsLive = new Live();
        private Live tree; // of the one that is parsed
        private CTokens token;

        // ---- nodes ----

        private Node newNode(Kind kind, int detail) {
            tree.add(1, NODE_SIZE);
            return new Node(kind, detail);
        }

        private byte[] newText() {
            return Arrays.copyOfRange(token.text, token.start, token.start + token.length);
        }

        private Symbol findSymbol(int hash) {
            Symbol symbol = symbols[hash & (SYMBOL_CHAINS - 1)];
            while (symbol != null && (symbol.hash != hash || !Arrays.equals(symbol.text, 0, symbol.text.length, token.text,
                    token.start, token.start + token.length))) {
                symbol = symbol.chain;
            }
            return symbol;
        }

        private Symbol newSymbol(int hash) {
            int chain = hash & (SYMBOL_CHAINS - 1);
            symbols[chain] = new Symbol(symbols[chain], newText(), hash);
            symbolsLive.add(1, SYMBOL_SIZE);
            symbolsLive.add(1, token.length);
            return symbols[chain];
        }

        private Node newName() {
            int hash = CTokens.hash(token.text, token.start, token.length);
            Symbol symbol = findSymbol(hash);
            if (symbol == null) {
                symbol = newSymbol(hash);
            }
            symbol.uses++;
            Node node = newNode(Kind.NAME, token.length);
            node.symbol = symbol;
            return node;
        }

        private Node newLiteral() {
            byte[] text = newText();
            Node node = newNode(Kind.LITERAL, token.length);
            node.text = text;
            tree.add(1, token.length);
            return node;
        }

        private Node newList(Kind kind, Items items) {
            Node node = newNode(kind, items.count);
            node.items = items.at;
            return node;
        }

        // ---- the grammar, as ast.c has it ----

        /** 1 and more: the higher, the closer. */
        private static int precedence(int code) {
            return switch (code) {
                case '.', '-' | '>' << 8 -> 13;
                case '*', '/', '%' -> 11;
                case '+', '-' -> 10;
                case '<' | '<' << 8, '>' | '>' << 8 -> 9;
                case '<', '>', '<' | '=' << 8, '>' | '=' << 8 -> 8;
                case '=' | '=' << 8, '!' | '=' << 8 -> 7;
                case '&' -> 6;
                case '^' -> 5;
                case '|' -> 4;
                case '&' | '&' << 8, '|' | '|' << 8 -> 3;
                case '?', ':' -> 2;
                case '=', '+' | '=' << 8, '-' | '=' << 8, '*' | '=' << 8, '/' | '=' << 8, '%' | '=' << 8, '&' | '=' << 8,
                        '|' | '=' << 8, '^' | '=' << 8 -> 1;
                default -> 12;
            };
        }

        private void parseListItems(Items items) {
            while (token.kind != CTokens.Kind.END && token.kind != CTokens.Kind.CLOSE) {
                if (token.kind == CTokens.Kind.SEPARATOR) {
                    token.advance();
                } else if (token.kind == CTokens.Kind.DIRECTIVE) {
                    Node directive = newLiteral();
                    token.advance();
                    items.append(directive);
                } else {
                    items.append(parseExpression(1));
                }
            }
        }

        private Node parseGroup() {
            Items items = new Items(tree);
            token.advance();
            parseListItems(items);
            if (token.kind == CTokens.Kind.CLOSE) {
                token.advance();
            }
            return newList(Kind.GROUP, items);
        }

        private boolean beginsUnit() {
            return token.kind == CTokens.Kind.NAME || token.kind == CTokens.Kind.NUMBER || token.kind == CTokens.Kind.STRING
                    || token.kind == CTokens.Kind.OPEN;
        }

        private Node parseUnit() {
            switch (token.kind) {
                case OPEN:
                    return parseGroup();
                case NAME:
                    Node name = newName();
                    token.advance();
                    return name;
                case NUMBER, STRING:
                    Node literal = newLiteral();
                    token.advance();
                    return literal;
                case OPERATOR:
                    int code = token.code;
                    token.advance();
                    Node operand = parseUnit();
                    Node node = newNode(Kind.UNARY, code);
                    node.left = operand;
                    return node;
                default:
                    return newNode(Kind.EMPTY, 0);
            }
        }

        private Node parseSequence() {
            Node first = parseUnit();
            if (!beginsUnit()) {
                return first;
            }
            Items items = new Items(tree);
            items.append(first);
            while (beginsUnit()) {
                items.append(parseUnit());
            }
            return newList(Kind.SEQUENCE, items);
        }

        private Node parseExpression(int least) {
            Node left = parseSequence();
            while (token.kind == CTokens.Kind.OPERATOR && precedence(token.code) >= least) {
                int code = token.code;
                token.advance();
                Node right = parseExpression(precedence(code) + 1);
                Node node = newNode(Kind.BINARY, code);
                node.left = left;
                node.right = right;
                left = node;
            }
            return left;
        }

        Node parseFile(byte[] text, Live live) {
            tree = live;
            token = new CTokens(text);
            Items items = new Items(tree);
            while (token.kind != CTokens.Kind.END) {
                if (token.kind == CTokens.Kind.CLOSE) {
                    token.advance();
                    continue;
                }
                Items part = new Items(tree);
                parseListItems(part);
                items.append(newList(Kind.GROUP, part));
            }
            return newList(Kind.GROUP, items);
        }

        long countUses() {
            long uses = 0;
            for (Symbol chain : symbols) {
                for (Symbol symbol = chain; symbol != null; symbol = symbol.chain) {
                    uses += symbol.uses * (Integer.toUnsignedLong(symbol.hash) | 1);
                }
            }
            return uses;
        }
    }

    /** In the order of the text, each node before what is in it. */
    private static void check(Run run, Node node) {
        run.check((long) node.kind.ordinal() << 32 | node.detail);
        if (node.kind == Kind.NAME) {
            run.check(Integer.toUnsignedLong(node.symbol.hash));
            return;
        }
        if (node.kind == Kind.LITERAL) {
            run.check(Integer.toUnsignedLong(CTokens.hash(node.text, 0, node.detail)));
            return;
        }
        for (int i = 0; node.items != null && i < node.detail; i++) {
            check(run, node.items[i]);
        }
        if (node.left != null) {
            check(run, node.left);
        }
        if (node.right != null) {
            check(run, node.right);
        }
    }

    /** The trees of all files, and what of them is live. */
    private static final class Trees {
        private final byte[][] files;
        private final Node[] trees;
        private final Live[] sizes;
        private final Live all = new Live();
        private final Parser parser = new Parser();

        Trees(byte[][] files) {
            this.files = files;
            trees = new Node[files.length];
            sizes = new Live[files.length];
        }

        /** The old tree stays until the new one is complete. */
        void parseAgain(Run run, int index) {
            Live size = new Live();
            Node tree = parser.parseFile(files[index], size);
            trees[index] = tree;
            check(run, tree);
            all.add(size);
            run.live.raiseTo(all);
            if (sizes[index] != null) {
                all.remove(sizes[index]);
            }
            sizes[index] = size;
        }
    }

    @Override
    public int corpusBytes(Scale scale) {
        return scale.of(100000, 2000000, 12000000);
    }

    @Override
    public void run(Run run) {
        int count = run.files.length;
        Trees trees = new Trees(run.files);
        Mixing random = new Mixing(run.seed);
        for (int i = 0; i < count; i++) {
            trees.parseAgain(run, i);
        }
        run.latencyBegin();
        long again = (long) run.scale.of(40, 10, 20) * count;
        for (long i = 0; i < again; i++) {
            trees.parseAgain(run, (int) random.below(count));
            run.latencyOperation();
        }
        run.check(trees.parser.countUses());
        run.operations = count + again;
        run.live.add(1, SYMBOL_CHAINS * Long.BYTES);
        run.live.add(1, (long) count * Long.BYTES);
        run.live.add(trees.parser.symbolsLive);
    }
}
