import subprocess
import sys
import unittest

from bench.runner import child
from support import Folder


class Environment(unittest.TestCase):
    def test_what_changes_managers_is_left_out(self):
        environment = {
            "PATH": "/bin",
            "SHALE_HEAP": "1G",
            "GC_MARKERS": "1",
            "MALLOC_ARENA_MAX": "1",
            "MIMALLOC_VERBOSE": "1",
            "JAVA_TOOL_OPTIONS": "-Xint",
            "LD_PRELOAD": "x.so",
            "SHALEISH": "yes",
        }
        self.assertEqual(child.clean_environment(environment), {"PATH": "/bin", "SHALEISH": "yes"})


class Result(unittest.TestCase):
    def test_last_line(self):
        self.assertEqual(child.last_object('a warning\n{"ok":true}\n'), {"ok": True})

    def test_none(self):
        for output in ("", "\n", "text", '{"ok":tr', "[1]", "3"):
            self.assertIsNone(child.last_object(output))

    def test_failures_are_told_in_a_sentence(self):
        self.assertEqual(child.failure(3, "one\ntwo\n", None), "ended with status 3: two")
        self.assertEqual(child.failure(-11, "", None), "ended by signal 11: it said nothing")
        self.assertEqual(child.failure(-9, "", 60.0), "not done after 60 s")


class Run(Folder):
    def test_a_result(self):
        result, error, seconds, peak = child.run([self.workload("ring-malloc")], 60, False)
        self.assertTrue(result["ok"])
        self.assertEqual(error, "")
        self.assertGreater(seconds, 0)
        self.assertIsNone(peak)

    def test_a_program_that_fails_but_says_why(self):
        program = self.program("p", "echo '{\"ok\":false,\"error\":\"full\"}'; exit 3\n")
        result, error, _, _ = child.run([program], 60, False)
        self.assertEqual((result["error"], error), ("full", ""))

    def test_a_program_that_dies(self):
        result, error, _, _ = child.run([self.program("p", "echo broken >&2\nkill -SEGV $$\n")], 60, False)
        self.assertIsNone(result)
        self.assertIn("signal 11", error)

    def test_a_program_that_does_not_end(self):
        result, error, _, _ = child.run([self.program("p", "exec sleep 1000\n")], 0.2, False)
        self.assertIsNone(result)
        self.assertEqual(error, "not done after 0.2 s")

    def test_memory_is_seen_from_outside(self):
        size = 64 << 20
        code = f"import time; block = b'1' * {size}; time.sleep(1)"
        _, _, _, peak = child.run([sys.executable, "-c", code], 60, True)
        self.assertGreaterEqual(peak, size)
        self.assertLess(peak, size + (64 << 20))


class MemoryUse(unittest.TestCase):
    def test_a_memory_file_counts_once(self):
        code = (
            "import mmap, os, sys, time\n"
            "file = os.memfd_create('test')\n"
            "os.ftruncate(file, 32 << 20)\n"
            "views = [mmap.mmap(file, 32 << 20) for _ in range(2)]\n"
            "print('ready', flush=True)\n"
            "sys.stdin.readline()\n"
            "for view in views:\n"
            "    for page in range(0, 32 << 20, 4096): view[page] = 1\n"
            "print('touched', flush=True)\n"
            "sys.stdin.readline()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            process.stdout.readline()
            before = child.memory_use(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            grown = child.memory_use(process.pid) - before
            process.stdin.write("\n")
            process.stdin.flush()
            process.wait()
        self.assertGreaterEqual(grown, 32 << 20)
        self.assertLess(grown, 34 << 20)
        self.assertEqual(child.memory_use(process.pid), 0)


if __name__ == "__main__":
    unittest.main()
