#!/usr/bin/env python3
"""Types at the prompt of shale-lox on a terminal: lines, several for one piece, errors, editing, former lines, ctrl-D.

usage: terminal.py SHALE_LOX FOLDER
"""
import os
import pty
import re
import select
import sys
import time

SECONDS = 60


class Session:
    def __init__(self, program, folder):
        environment = dict(os.environ, HOME=folder, XDG_STATE_HOME=folder + "/state", TERM="vt100")
        self.text = ""
        self.seen = 0
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.execve(program, [program, "--ext"], environment)

    def read(self):
        ready, _, _ = select.select([self.terminal], [], [], 0.2)
        if not ready:
            return True
        try:
            part = os.read(self.terminal, 4096)
        except OSError:
            return False
        self.text += part.decode(errors="replace")
        return bool(part)

    def expect(self, pattern):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = re.search(pattern, self.text[self.seen:])
            if found:
                self.seen += found.end()
                return
            if not self.read():
                break
        sys.exit(f"expected {pattern!r}, found {self.text[self.seen:]!r}; in all {self.text!r}")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def end(self):
        """Ctrl-D, once more while nothing comes of it: the terminal takes it for itself until the program has set its mode."""
        end = time.monotonic() + SECONDS
        again = 0
        while self.read():
            if time.monotonic() > end:
                sys.exit(f"it does not end; in all {self.text!r}")
            if time.monotonic() > again:
                again = time.monotonic() + 1
                try:
                    self.type("\x04")
                except OSError:
                    break  # it has ended
        _, status = os.waitpid(self.process, 0)
        if status != 0:
            sys.exit(f"it ended with status {status}")


def main():
    program, folder = sys.argv[1:]
    session = Session(program, folder)
    session.expect(r"> ")
    session.type("print 40 + 2;\n")
    session.expect(r"\n42\r\n")
    session.expect(r"> ")
    session.type("fun f() {\n")
    session.expect(r"\| ")
    session.type("return 7;\n")
    session.expect(r"\| ")
    session.type("}\n")
    session.expect(r"> ")
    session.type("print f() + nil;\n")
    session.expect(r"Operands must be")
    session.expect(r"> ")
    session.type("print list(f(), f());\n")
    session.expect(r"\n\[7, 7\]\r\n")
    session.expect(r"> ")
    edited = program_edits(program)
    if edited:
        session.type("print 1;\x7f\x7f2;\n")  # takes two characters back
        session.expect(r"\n2\r\n")
        session.expect(r"> ")
    session.end()
    if not edited:
        return
    if not os.path.exists(folder + "/state/shale-lox/history"):
        sys.exit("there is no history file")
    session = Session(program, folder)
    session.expect(r"> ")
    session.type("\x10\x10\n")  # the last line but one
    session.expect(r"Undefined variable 'f'")
    session.expect(r"> ")
    session.end()


def program_edits(program):
    with open(program, "rb") as file:
        return b"XDG_STATE_HOME" in file.read()


main()
