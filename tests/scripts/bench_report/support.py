"""Runs the report's programs as people do: as processes."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
REPORT = os.path.join(ROOT, "bench", "report")


def run(program, *arguments):
    """(exit status, standard output, standard error)."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, os.path.join(REPORT, program), *arguments], capture_output=True, text=True,
                          check=False, cwd="/", env=environment)
    return done.returncode, done.stdout, done.stderr


class Folder(tempfile.TemporaryDirectory):
    """A temporary folder with result files in it."""

    def write(self, name, document):
        path = os.path.join(self.name, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        return path

    def path(self, name):
        return os.path.join(self.name, name)
