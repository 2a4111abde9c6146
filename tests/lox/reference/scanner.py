"""Lox source to tokens. Source and lexemes are str with one character for each byte (latin-1)."""
from collections import namedtuple

# `kind` is the lexeme itself for keywords and punctuation; else "identifier", "string", "number", "end" or "error",
# of which the last has its message in `lexeme`.
Token = namedtuple("Token", "kind lexeme line")

KEYWORDS = frozenset(
    "and class else false for fun if nil or print return super this true var while".split())
SINGLE = frozenset("(){};,.-+/*")
DIGITS = frozenset("0123456789")
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


def tokens(source):
    """All tokens of the source, for ever: after the last the end is repeated. A NUL byte ends the source."""
    source = source.split("\0", 1)[0] + "\0\0"
    at, line = 0, 1
    while True:
        while source[at] in " \r\t\n" or source[at:at + 2] == "//":
            if source[at] == "\n":
                line += 1
            if source[at] == "/":
                while source[at] not in "\n\0":
                    at += 1
            else:
                at += 1
        start, first = at, source[at]
        if first == "\0":
            yield Token("end", "", line)
            continue
        at += 1
        if first in LETTERS:
            while source[at] in LETTERS or source[at] in DIGITS:
                at += 1
            word = source[start:at]
            yield Token(word if word in KEYWORDS else "identifier", word, line)
        elif first in DIGITS:
            while source[at] in DIGITS:
                at += 1
            if source[at] == "." and source[at + 1] in DIGITS:
                at += 1
                while source[at] in DIGITS:
                    at += 1
            yield Token("number", source[start:at], line)
        elif first == '"':
            while source[at] not in '"\0':
                if source[at] == "\n":
                    line += 1
                at += 1
            if source[at] == "\0":
                yield Token("error", "Unterminated string.", line)
            else:
                at += 1
                yield Token("string", source[start:at], line)
        elif first in SINGLE:
            yield Token(first, first, line)
        elif first in "!=<>":
            if source[at] == "=":
                at += 1
            yield Token(source[start:at], source[start:at], line)
        else:
            yield Token("error", "Unexpected character.", line)
