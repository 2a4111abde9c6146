package shale.bench;

/** C source text as tokens, the same ones as c_tokens.h says. The current token is in the fields. */
final class CTokens {
    enum Kind { END, NAME, NUMBER, STRING, DIRECTIVE, OPERATOR, OPEN, CLOSE, SEPARATOR }

    private static final long FNV_START = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;

    final byte[] text;
    Kind kind;
    int start;
    int length;
    /** Of a token of one or two characters: first + second * 256. */
    int code;
    private int next;
    private boolean lineStart = true;

    CTokens(byte[] text) {
        this.text = text;
        advance();
    }

    /** FNV-1a of 64 bits, folded to 32. */
    static int hash(byte[] text, int start, int length) {
        long hash = FNV_START;
        for (int i = start; i < start + length; i++) {
            hash = (hash ^ (text[i] & 0xff)) * FNV_PRIME;
        }
        return (int) (hash ^ hash >>> 32);
    }

    private static boolean isNameStart(byte c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$' || c < 0;
    }

    private static boolean isDigit(byte c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isName(byte c) {
        return isNameStart(c) || isDigit(c);
    }

    private static boolean isOneOf(byte c, String characters) {
        return c >= 0 && characters.indexOf(c) >= 0;
    }

    /** Behind a comment of either kind. */
    private int skipComment(int from) {
        int at = from;
        if (text[at + 1] == '/') {
            while (text[at] != 0 && text[at] != '\n') {
                at++;
            }
            return at;
        }
        at += 2;
        while (text[at] != 0 && !(text[at] == '*' && text[at + 1] == '/')) {
            at++;
        }
        return text[at] == 0 ? at : at + 2;
    }

    private void skipSpace() {
        for (;;) {
            byte c = text[next];
            if (c == '\n') {
                lineStart = true;
            }
            if (c == ' ' || c >= '\t' && c <= '\r') {
                next++;
            } else if (c == '/' && (text[next + 1] == '/' || text[next + 1] == '*')) {
                next = skipComment(next);
            } else {
                return;
            }
        }
    }

    /** To the newline that is not behind a backslash. */
    private int directiveEnd(int from) {
        int at = from;
        while (text[at] != 0 && text[at] != '\n') {
            at += text[at] == '\\' && text[at + 1] != 0 ? 2 : 1;
        }
        return at;
    }

    /** Behind the quote that ends it, or where the line ends. */
    private int stringEnd(int from) {
        byte quote = text[from];
        int at = from + 1;
        while (text[at] != 0 && text[at] != '\n' && text[at] != quote) {
            at += text[at] == '\\' && text[at + 1] != 0 ? 2 : 1;
        }
        return text[at] == quote ? at + 1 : at;
    }

    /** Of two characters: doubled, with =, and the arrow. */
    private int operatorEnd(int at) {
        byte first = text[at];
        byte second = text[at + 1];
        boolean two = second == first && isOneOf(first, "+-<>&|=") || second == '=' && isOneOf(first, "+-*/%&|^<>!")
                || first == '-' && second == '>';
        return at + (two ? 2 : 1);
    }

    private int tokenEnd() {
        int at = start;
        byte c = text[at];
        if (c == 0) {
            kind = Kind.END;
            return at;
        }
        if (isNameStart(c)) {
            kind = Kind.NAME;
            while (isName(text[at])) {
                at++;
            }
            return at;
        }
        if (isDigit(c) || c == '.' && isDigit(text[at + 1])) {
            kind = Kind.NUMBER;
            while (isName(text[at]) || text[at] == '.') {
                at++;
            }
            return at;
        }
        if (c == '"' || c == '\'') {
            kind = Kind.STRING;
            return stringEnd(at);
        }
        if (c == '#' && lineStart) {
            kind = Kind.DIRECTIVE;
            return directiveEnd(at);
        }
        kind = isOneOf(c, "([{") ? Kind.OPEN : isOneOf(c, ")]}") ? Kind.CLOSE : isOneOf(c, ",;") ? Kind.SEPARATOR : Kind.OPERATOR;
        return kind == Kind.OPERATOR ? operatorEnd(at) : at + 1;
    }

    void advance() {
        skipSpace();
        start = next;
        next = tokenEnd();
        length = next - start;
        code = length == 0 ? 0 : (text[start] & 0xff) + (length == 2 ? (text[start + 1] & 0xff) * 256 : 0);
        lineStart = false;
    }
}
