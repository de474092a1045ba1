// Peak memory of this process, cheaply enough to be told with every answer.
package yunmen;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

final class PeakMemory {
  /** How old a figure may get, and how long a request must be to have it read anew: a shorter one cannot touch much. */
  private static final long STALE_NANOS = 100_000_000, LONG_NANOS = 1_000_000;

  private long readAt = System.nanoTime();
  private long known = read();

  /** Reads VmHWM; `began` is the request's start by System.nanoTime(). */
  synchronized long kilobytes(long began) {
    long now = System.nanoTime();
    if (now - began > LONG_NANOS || now - readAt > STALE_NANOS) {
      known = read();
      readAt = now;
    }
    return known;
  }

  private static long read() {
    try {
      for (String line : Files.readString(Path.of("/proc/self/status")).split("\n")) {
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", ""));
      }
    } catch (IOException noProc) {
      return Runtime.getRuntime().totalMemory() / 1024;
    }
    return 0;
  }
}
