import json
import os
import unittest

from bench import run
from bench.runner import matrix
from support import Folder, silence

MIB = 1 << 20


class Arguments(unittest.TestCase):
    def test_defaults(self):
        options = run.parse_arguments([])
        self.assertEqual(options.scale, "full")
        self.assertEqual(options.factors, matrix.FACTORS)
        self.assertEqual(options.repetitions, run.REPETITIONS)
        self.assertTrue(options.output.endswith("results.json"))

    def test_quick(self):
        options = run.parse_arguments(["--quick"])
        self.assertEqual(options.scale, "quick")
        self.assertEqual(options.factors, matrix.QUICK_FACTORS)
        self.assertEqual(run.parse_arguments(["--quick", "--factors", "1.3,4"]).factors, (1.3, 4.0))

    def test_refused(self):
        for arguments in (
            ["--only", "rings"],
            ["--managers", "jemalloc"],
            ["--factors", "0.5"],
            ["--factors", "two"],
            ["--repetitions", "0"],
        ):
            with silence(), self.assertRaises(SystemExit) as raised:
                run.parse_arguments(arguments)
            self.assertEqual(raised.exception.code, 2)


class Texts(unittest.TestCase):
    def test_time(self):
        self.assertEqual(run.time_text(12.4), "12 s")
        self.assertEqual(run.time_text(120), "2 min")
        self.assertEqual(run.time_text(7200), "2.0 h")

    def test_progress(self):
        entry = matrix.Entry("ring", 1, matrix.BASELINE, None)
        line = run.progress_line(3, 120, entry, {"ok": True, "wall_seconds": 1.234}, 60)
        self.assertEqual(line, "[  3/120] ring, malloc: 1.23 s; about 60 s left")
        line = run.progress_line(120, 120, entry, {"ok": False, "error": "full"}, 0)
        self.assertEqual(line, "[120/120] ring, malloc: FAILED: full")


class Bench(Folder):
    def bench(self, *arguments):
        """Runs with the folder's programs. Returns (what was collected, or None; what was said)."""
        output = self.path("results.json")
        with silence() as said:
            self.status = run.main(
                ["--programs", self.folder, "--classes", self.path("none"), "--output", output, *arguments]
            )
        if not os.path.exists(output):
            return None, said.getvalue()
        with open(output, encoding="utf-8") as file:
            return json.load(file), said.getvalue()

    def test_collects_what_is_there_and_names_what_is_not(self):
        self.workload("ring-malloc")
        self.workload("ring-shale")
        results, said = self.bench("--only", "ring,lru", "--factors", "2,4", "--repetitions", "2")
        self.assertEqual(results["format"], 1)
        for field in ("cpu", "cores", "memory", "kernel", "governor"):
            self.assertIn(field, results["machine"])
        self.assertEqual(set(results["project"]), {"commit", "version"})
        keys = [(r["manager"], r["heap_factor"], r["repetition"]) for r in results["runs"]]
        # Shale's two fault modes are of the same program.
        expected = [("malloc", None), *[("shale", 2.0), ("shale", 4.0)] * 2]
        self.assertEqual(keys, [(m, f, repetition) for repetition in (0, 1) for m, f in expected])
        self.assertEqual(self.status, 0)
        self.assertTrue(os.path.exists(self.path("report.html")))
        self.assertIn("Ring of buffers", said)
        self.assertEqual(len(self.calls()), len(keys))  # what told the live size counts
        skipped = {(s["manager"], s["workload"]) for s in results["skipped"]}
        for what in (("mimalloc", None), ("bdwgc", None), ("jvm-zgc", None), ("malloc", "lru")):
            self.assertIn(what, skipped)
        self.assertIn("skip  mimalloc: ", said)
        self.assertIn("[1/1] what is live: ring, malloc: 0.50 s", said)
        self.assertIn("[ 2/10] ring, shale-signal, heap 2x: 0.50 s", said)

    def test_arguments_of_programs(self):
        self.workload("trees-malloc")
        self.workload("trees-shale")
        self.bench("--only", "trees", "--managers", "shale-signal", "--factors", "2", "--repetitions", "1", "--seed", "7")
        common = ["--scale", "full", "--threads", "1", "--seed", "7"]
        calls = self.calls()
        self.assertEqual(calls[0], ["trees-malloc", *common])
        self.assertEqual(calls[2], ["trees-shale", "--faults", "signal", *common, "--heap-bytes", str(20 * MIB)])
        self.assertEqual(len(calls), 4) # each with one thread and with two

    def test_other_checksums_fail(self):
        self.workload("ring-malloc")
        self.workload("ring-mimalloc", checksum="4567")
        results, said = self.bench("--only", "ring", "--managers", "malloc,mimalloc", "--repetitions", "1")
        self.assertEqual(self.status, 1)
        self.assertIn("CHECKSUMS DIFFER", said)
        self.assertEqual([r["ok"] for r in results["runs"]], [True, False])
        self.assertIn("4567", results["runs"][1]["error"])

    def test_what_failed_is_not_tried_again(self):
        self.workload("ring-malloc")
        self.program("ring-mimalloc", "echo broken >&2; exit 1\n")
        results, said = self.bench("--only", "ring", "--managers", "malloc,mimalloc", "--repetitions", "3")
        failed = [r for r in results["runs"] if r["manager"] == "mimalloc"]
        self.assertEqual(len(failed), 1)
        self.assertEqual(failed[0]["error"], "ended with status 1: broken")
        self.assertIn("FAILED", said)

    def test_no_live_size_no_heap_sizes(self):
        self.program("ring-malloc", "exit 1\n")
        self.workload("ring-shale")
        results, said = self.bench("--only", "ring", "--managers", "shale-signal", "--repetitions", "1")
        self.assertEqual(results["runs"], [])
        self.assertIn("the live size is not known", said)

    def test_heaps_that_do_not_fit_are_skipped(self):
        self.workload("ring-malloc", heap_live_bytes=1 << 50)
        self.workload("ring-shale")
        results, said = self.bench("--only", "ring", "--managers", "shale-signal", "--repetitions", "1")
        self.assertEqual(results["runs"], [])
        self.assertIn("does not fit into memory", said)

    def test_nothing_there(self):
        results, said = self.bench("--only", "ring")
        self.assertIsNone(results)
        self.assertIn("nothing to run", said)

    def test_histograms(self):
        self.workload("ring-malloc")
        folder = self.path("histograms")
        self.bench("--only", "ring", "--managers", "malloc", "--repetitions", "1", "--histograms", folder)
        self.assertEqual(self.calls()[0][-2:], ["--histogram", "histograms/ring-1-malloc-0.hgrm"])
        self.assertTrue(os.path.isdir(folder))


class JavaPrograms(Folder):
    """A java that is none: it prints its arguments' result, and takes all options."""

    def test_command_line(self):
        self.workload("ring-malloc")
        classes = self.path("classes")
        os.makedirs(os.path.join(classes, "shale", "bench"))
        with open(os.path.join(classes, "shale", "bench", "Main.class"), "wb"):
            pass
        os.makedirs(self.path("bin"))
        self.workload("bin/java", workload="ring", manager="jvm-zgc", peak_memory_bytes=None)
        os.environ["JAVA_HOME"] = self.folder
        self.addCleanup(os.environ.pop, "JAVA_HOME")
        output = self.path("results.json")
        with silence():
            status = run.main(
                ["--programs", self.folder, "--classes", classes, "--output", output, "--only", "ring"]
                + ["--managers", "jvm-zgc", "--factors", "2", "--repetitions", "1"]
            )
        self.assertEqual(status, 0)
        with open(output, encoding="utf-8") as file:
            result = json.load(file)["runs"][0]
        self.assertIsNotNone(result["peak_memory_bytes"])
        call = self.calls()[-1]
        heap = 20 * MIB
        self.assertEqual(call[:4], ["bin/java", "-XX:+UseZGC", f"-Xms{heap}", f"-Xmx{heap}"])
        at = call.index("shale.bench.Main")
        self.assertEqual(call[at - 2 : at + 2], ["-cp", "classes", "shale.bench.Main", "ring"])
        self.assertEqual(call[at + 2 : at + 4], ["--scale", "full"])


if __name__ == "__main__":
    unittest.main()
