package shale.bench;

import java.nio.charset.StandardCharsets;

/**
 * A cache that keeps what was used last: a hash table of strings with chains, whose entries are also linked in the order of
 * their use. The table is written out, as in C, rather than java.util's; its keys are Strings.
 */
final class Lru implements Workload {
    private static final int KEY_MIN = 8;
    private static final int KEY_SPREAD = 25;
    private static final int VALUE_MIN = 8;
    private static final int VALUE_SPREAD = 121;
    private static final int REPLACE_EVERY = 10;
    private static final int KEYS_PER_ENTRY = 4;
    private static final int ENTRY_SIZE = 48; // in C
    private static final byte[] DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private static final long FNV_START = 0xcbf29ce484222325L;
    private static final long FNV_PRIME = 0x100000001b3L;

    private static final class Entry {
        Entry chain;
        Entry newer;
        Entry older;
        final String key;
        final int hash;
        long[] value;

        Entry(String key, int hash) {
            this.key = key;
            this.hash = hash;
        }
    }

    /** A key that is asked for; one object is used over and over. */
    private static final class Request {
        private final byte[] text = new byte[KEY_MIN + KEY_SPREAD];
        int length;
        int hash;

        /** The text follows from the key's number: hexadecimal digits of random numbers. */
        void make(long key) {
            Mixing state = new Mixing(key);
            long bits = state.next();
            length = KEY_MIN + (int) Long.remainderUnsigned(bits, KEY_SPREAD);
            long hashed = FNV_START;
            for (int i = 0; i < length; i++) {
                if (i % 16 == 0) {
                    bits = state.next();
                }
                text[i] = DIGITS[(int) (bits & 15)];
                bits >>>= 4;
                hashed = (hashed ^ text[i]) * FNV_PRIME;
            }
            hash = (int) (hashed ^ hashed >>> 32);
        }

        String string() {
            return new String(text, 0, length, StandardCharsets.ISO_8859_1);
        }
    }

    private static final class Cache {
        private final Run run;
        private final Entry[] chains;
        private final Live live = new Live();
        private final Mixing random;
        private final Request request = new Request();
        private Entry newest;
        private Entry oldest;
        private int count;
        private long operation;

        Cache(Run run, int capacity) {
            this.run = run;
            chains = new Entry[capacity];
            random = new Mixing(run.seed);
            live.add(1, (long) capacity * Long.BYTES);
        }

        /** Small numbers are more frequent: the product of two fractions. */
        private long randomKey() {
            long keys = (long) chains.length * KEYS_PER_ENTRY;
            long first = random.next() >>> 32;
            long second = random.next() >>> 32;
            return (first * second >>> 32) * keys >>> 32;
        }

        /** Its length follows from the number of the operation that makes it, and so do its words. */
        private long[] newValue() {
            long[] value = new long[VALUE_MIN + (int) new Mixing(operation).below(VALUE_SPREAD)];
            for (int i = 0; i < value.length; i++) {
                value[i] = operation + i;
            }
            live.add(1, (long) value.length * Long.BYTES);
            return value;
        }

        private void readValue(Entry entry) {
            long sum = 0;
            for (long word : entry.value) {
                sum += word;
            }
            run.check(sum);
        }

        private Entry find(String key, int hash) {
            Entry entry = chains[hash & (chains.length - 1)];
            while (entry != null && (entry.hash != hash || !entry.key.equals(key))) {
                entry = entry.chain;
            }
            return entry;
        }

        private void unlinkFromList(Entry entry) {
            if (entry.newer != null) {
                entry.newer.older = entry.older;
            } else {
                newest = entry.older;
            }
            if (entry.older != null) {
                entry.older.newer = entry.newer;
            } else {
                oldest = entry.newer;
            }
        }

        private void linkToList(Entry entry) {
            entry.newer = null;
            entry.older = newest;
            if (newest != null) {
                newest.newer = entry;
            } else {
                oldest = entry;
            }
            newest = entry;
        }

        private void unlinkFromChain(Entry entry) {
            int index = entry.hash & (chains.length - 1);
            if (chains[index] == entry) {
                chains[index] = entry.chain;
                return;
            }
            Entry before = chains[index];
            while (before.chain != entry) {
                before = before.chain;
            }
            before.chain = entry.chain;
        }

        private void evictOldest() {
            Entry entry = oldest;
            run.check(Integer.toUnsignedLong(entry.hash) + entry.value[0]);
            unlinkFromList(entry);
            unlinkFromChain(entry);
            entry.newer = null;
            entry.older = null;
            entry.chain = null;
            live.remove(ENTRY_SIZE);
            live.remove(entry.key.length());
            live.remove((long) entry.value.length * Long.BYTES);
            count--;
        }

        private void addEntry(String key) {
            Entry entry = new Entry(key, request.hash);
            entry.value = newValue();
            live.add(1, ENTRY_SIZE);
            live.add(1, key.length());
            int index = entry.hash & (chains.length - 1);
            entry.chain = chains[index];
            chains[index] = entry;
            linkToList(entry);
            count++;
            run.live.raiseTo(live);
        }

        private void useEntry(Entry entry) {
            readValue(entry);
            if (newest != entry) {
                unlinkFromList(entry);
                linkToList(entry);
            }
            if (operation % REPLACE_EVERY == 0) {
                long[] value = newValue();
                live.remove((long) entry.value.length * Long.BYTES);
                entry.value = value;
            }
        }

        void operate() {
            request.make(randomKey());
            String key = request.string();
            Entry entry = find(key, request.hash);
            if (entry != null) {
                useEntry(entry);
            } else {
                if (count == chains.length) {
                    evictOldest();
                }
                addEntry(key);
            }
            operation++;
        }

        void readAll() {
            for (Entry entry = oldest; entry != null; entry = entry.newer) {
                readValue(entry);
            }
        }
    }

    @Override
    public void run(Run run) {
        int operations = run.scale.of(40000, 400000, 6000000);
        Cache cache = new Cache(run, run.scale.of(1 << 11, 1 << 15, 1 << 18));
        run.latencyBegin();
        for (int i = 0; i < operations; i++) {
            cache.operate();
            run.latencyOperation();
        }
        cache.readAll();
        run.operations = operations;
    }
}
