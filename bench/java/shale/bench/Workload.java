package shale.bench;

/** One of the programs. Each does what the one of that name in bench/workloads does, in plain Java. */
interface Workload {
    void run(Run run) throws Exception;

    /** How much text it works on, read before anything is timed. */
    default int corpusBytes(Scale scale) {
        return 0;
    }

    /** The most threads that it can use. */
    default int threadsMax() {
        return 1;
    }
}
