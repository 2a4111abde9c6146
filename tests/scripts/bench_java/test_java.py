"""See ../bench_java.sh. TEST_BIN is the folder of the built programs."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

BIN = os.environ["TEST_BIN"]
CLASSES = os.path.join(BIN, "..", "bench-java")
HEADERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "include", "shale")
JAVA = (os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else None) or shutil.which("java")
COLLECTORS = {"jvm-zgc": "-XX:+UseZGC", "jvm-shenandoah": "-XX:+UseShenandoahGC", "jvm-g1": "-XX:+UseG1GC",
              "jvm-parallel": "-XX:+UseParallelGC"}
WORKLOADS = sorted(name[:-len("-malloc")] for name in os.listdir(BIN) if name.endswith("-malloc"))
SAME = ("workload", "threads", "scale", "seed", "operations", "checksum", "live_bytes", "heap_live_bytes")


def run(line):
    done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=200)
    return done.returncode, done.stdout, done.stderr


def in_c(workload, *arguments):
    status, out, err = run([os.path.join(BIN, f"{workload}-malloc"), "--scale", "tiny", "--corpus", HEADERS, *arguments])
    assert status == 0, err + out
    return json.loads(out)


def there(collector):
    return run([JAVA, COLLECTORS[collector], "-version"])[0] == 0


def in_java(workload, *arguments, collector="jvm-parallel", heap="48M", log=None, scale="tiny"):
    """(status, result)."""
    logging = [f"-Xlog:gc,safepoint:file={log}:timenanos"] if log else []
    status, out, err = run([JAVA, COLLECTORS[collector], f"-Xms{heap}", f"-Xmx{heap}", "-Xlog:disable", *logging, "-cp", CLASSES,
                            "shale.bench.Main", workload, "--scale", scale, "--corpus", HEADERS, *arguments])
    assert out.startswith("{"), (status, out, err)
    return status, json.loads(out)


class Java(unittest.TestCase):
    def check_same(self, expected, found):
        self.assertEqual({name: found.get(name) for name in SAME}, {name: expected[name] for name in SAME})
        self.assertTrue(found["ok"], found["error"])

    def test_every_workload_computes_the_same(self):
        self.assertIn("ring", WORKLOADS)
        for workload in WORKLOADS:
            with self.subTest(workload):
                self.check_same(in_c(workload), in_java(workload)[1])

    def test_another_seed(self):
        for workload in ("lru", "churn", "graph", "arrays"):
            with self.subTest(workload):
                self.check_same(in_c(workload, "--seed", "7"), in_java(workload, "--seed", "7")[1])

    def test_threads(self):
        self.check_same(in_c("trees", "--threads", "3"), in_java("trees", "--threads", "3")[1])

    def test_every_collector(self):
        expected = in_c("lru")
        for collector in COLLECTORS:
            if not there(collector):
                print(f"skip  this JDK has no {collector}")
                continue
            with self.subTest(collector), tempfile.TemporaryDirectory() as folder:
                log = os.path.join(folder, "gc.log")
                _, found = in_java("lru", "--warm-up", "0.5", collector=collector, heap="24M", log=log)
                self.check_same(expected, found)
                self.assertEqual(found["manager"], collector)
                self.check_measures(found)

    def check_measures(self, found):
        latency = found["latency"]
        self.assertEqual(sum(count for _, count in latency["histogram"]), latency["count"])
        self.assertEqual(latency["count"], found["operations"])
        uppers = [upper for upper, _ in latency["histogram"]]
        self.assertEqual(uppers, sorted(set(uppers)))
        self.assertGreaterEqual(uppers[-1], latency["max"])
        self.assertTrue(latency["p50"] <= latency["p99"] <= latency["p999"] <= latency["p9999"] <= latency["max"])
        seen = 0
        for upper, count in latency["histogram"]:
            seen += count
            if 100 * seen >= 99 * latency["count"]:
                self.assertEqual(latency["p99"], min(upper, latency["max"]))
                break
        stops, wall = found["stops"], found["wall_seconds"] * 1e9
        self.assertTrue(0 <= stops["p50"] <= stops["p99"] <= stops["max"] <= stops["total_ns"] <= wall, stops)
        windows = [window for window, _ in found["mmu"]]
        self.assertEqual(windows, [1, 2, 5, 10, 20, 50, 100, 200, 500])
        for window, utilisation in found["mmu"]:
            self.assertTrue(0 <= utilisation <= 1)
            # A window as long as the longest stop is full of it; no window has more than all stops.
            if window * 1e6 <= stops["max"]:
                self.assertEqual(utilisation, 0)
            window_ns = min(window * 1e6, wall)
            least = 1 - stops["total_ns"] / window_ns
            # The wall time is told in microseconds, and a run of this size takes a few thousand of them.
            self.assertGreaterEqual(utilisation, max(0, least) - 2000 / window_ns)
        self.assertGreater(found["cpu_seconds"], 0)

    def test_stops_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "gc.log")
            _, found = in_java("ring", heap="8M", log=log)
            self.assertGreater(found["stops"]["count"], 0)
            self.assertGreater(found["cycles"], 0)
            self.check_measures(dict(found, latency=dict(found["latency"]), operations=found["latency"]["count"]))

    def test_without_a_log_stops_are_not_known(self):
        _, found = in_java("gcbench")
        self.assertEqual((found["stops"], found["mmu"], found["latency"]), (None, None, None))

    def test_histogram_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ring.hgrm")
            _, found = in_java("ring", "--histogram", path)
            with open(path, encoding="ascii") as file:
                lines = file.read().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        last = next(line for line in reversed(lines) if not line.startswith("#"))
        self.assertEqual(last.split(), [f"{found['latency']['max'] / 1000:.3f}", "1.000000000000", str(found["latency"]["count"])])
        values = [float(line.split()[0]) for line in lines[2:] if not line.startswith("#")]
        self.assertEqual(values, sorted(values))

    def test_no_memory(self):
        status, found = in_java("ring", "--warm-up", "0", scale="quick", heap="16M")
        self.assertEqual((status, found["ok"]), (3, False))
        self.assertIn("OutOfMemoryError", found["error"])

    def test_usage(self):
        start = [JAVA, "-cp", CLASSES, "shale.bench.Main"]
        for arguments in ([], ["nothing"], ["ring", "--scale", "huge"], ["ring", "--threads", "2"], ["ring", "--seed"],
                          ["ring", "--frob", "1"], ["ring", "trees"]):
            status, out, err = run(start + arguments)
            self.assertEqual((status, out), (2, ""), arguments)
            self.assertIn("--help", err)
        status, out, _ = run(start + ["--help"])
        self.assertEqual(status, 0)
        self.assertIn("ring", out)


if __name__ == "__main__":
    unittest.main()
