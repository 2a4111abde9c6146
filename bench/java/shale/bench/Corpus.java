package shale.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/** Real text to work on: the C headers in a folder, the same ones as corpus.h says. Each ends with a byte that is 0. */
final class Corpus {
    private static final int FILE_MAX = 256 * 1024;

    private Corpus() {
    }

    private static List<Path> findPaths(Path folder) throws IOException {
        List<Path> paths = new ArrayList<>();
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                if (attributes.isRegularFile() && file.getFileName().toString().endsWith(".h") && attributes.size() > 0
                        && attributes.size() <= FILE_MAX) {
                    paths.add(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException error) {
                return FileVisitResult.CONTINUE;
            }
        });
        paths.sort(Comparator.comparing(path -> path.toString().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned));
        return paths;
    }

    /** An empty text when it cannot be read. */
    private static byte[] readFile(Path path) {
        try {
            byte[] text = Files.readAllBytes(path);
            return Arrays.copyOf(text, text.length + 1);
        } catch (IOException error) {
            return new byte[1];
        }
    }

    static byte[][] read(String folder, long bytesMost) throws IOException {
        List<byte[]> files = new ArrayList<>();
        long bytes = 0;
        for (Path path : findPaths(Path.of(folder))) {
            if (bytes >= bytesMost) {
                break;
            }
            byte[] text = readFile(path);
            bytes += text.length - 1;
            files.add(text);
        }
        if (files.isEmpty()) {
            throw new IOException("the corpus has no C headers; name a folder that has with --corpus");
        }
        return files.toArray(new byte[0][]);
    }
}
