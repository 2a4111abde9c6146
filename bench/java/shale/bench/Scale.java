package shale.bench;

/** How much a workload does. */
enum Scale {
    TINY, QUICK, FULL;

    /** The value for this scale. */
    int of(int tiny, int quick, int full) {
        return switch (this) {
            case TINY -> tiny;
            case QUICK -> quick;
            case FULL -> full;
        };
    }

    String label() {
        return name().toLowerCase();
    }
}
