"""Programs that stand for the real ones: shell scripts that print what they are told."""

import contextlib
import io
import json
import os
import stat
import tempfile
import unittest


class Folder(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name, body):
        """An executable shell script."""
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + body)
        os.chmod(self.path(name), stat.S_IRWXU)
        return self.path(name)

    def workload(self, name, **fields):
        """A program that prints a result with these fields, and notes its arguments."""
        workload, _, manager = name.partition("-")
        result = {
            "workload": workload,
            "manager": manager,
            "mode": "",
            "ok": True,
            "error": "",
            "wall_seconds": 0.5,
            "checksum": "0123",
            "live_bytes": 1000,
            "heap_live_bytes": 10 << 20,
            "peak_memory_bytes": 2000,
            **fields,
        }
        return self.program(name, f"echo \"$0 $@\" >> {self.path('calls')}\ncat <<'END'\n{json.dumps(result)}\nEND\n")

    def calls(self):
        """The arguments of all calls of such programs, in order, each with the program's name."""
        with open(self.path("calls"), encoding="utf-8") as file:
            return [line.split() for line in file.read().replace(self.folder + "/", "").splitlines()]


@contextlib.contextmanager
def silence():
    """What is said meanwhile."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        yield said
