// What functions print and log: System.out, System.err, the context's logger, and the markers around each request.
// fd 1 and fd 2 are one stream to the host. Every write goes out at once, so that a crash loses nothing.
package yunmen;

import java.io.ByteArrayOutputStream;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;

final class Output {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
  /** Bytes of an unfinished line that are held back. */
  private static final int HOLD_LIMIT = 8192;

  /** Where the log stands around one request. */
  static final class Mark {
    final String kind;
    final String requestId;
    final boolean isTail;
    boolean isStartDue = true;
    boolean hasStart = false;

    Mark(String kind, String requestId, boolean isTail) {
      this.kind = kind;
      this.requestId = requestId;
      this.isTail = isTail;
    }
  }

  private final FileOutputStream[] descriptors = {new FileOutputStream(FileDescriptor.out), new FileOutputStream(FileDescriptor.err)};
  private final Lines[] streams = {new Lines(0), new Lines(1)};
  /** Of the last request that began; with several at a time, each thread (and what it starts) has its own. */
  private volatile Mark last;
  private volatile InheritableThreadLocal<Mark> separate;
  private boolean endsLine = true;

  static Output install() {
    Output output = new Output();
    System.setOut(new PrintStream(output.streams[0], true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(output.streams[1], true, StandardCharsets.UTF_8));
    return output;
  }

  /** From now on several requests run at a time. */
  void separate() {
    separate = new InheritableThreadLocal<>();
  }

  private Mark current() {
    return separate == null ? last : separate.get();
  }

  /**
   * A request begins, on this thread: its Start marker goes out with the first output, or before anything else when a tail is
   * wanted: children write without being seen.
   */
  Mark begin(String kind, String requestId, boolean isTail) {
    Mark mark = new Mark(kind, requestId, isTail);
    if (separate == null) last = mark;
    else separate.set(mark);
    if (isTail) write(0, mark, new byte[0]);
    return mark;
  }

  /** All is flushed; the markers are completed when there was output, an error, or a tail is wanted. */
  synchronized void finish(Mark mark, String suffix, String text) {
    System.out.flush();
    System.err.flush();
    for (Lines lines : streams) lines.flushHeld();
    if (mark.hasStart || mark.isTail || !suffix.isEmpty()) {
      String body = text.isEmpty() || text.endsWith("\n") ? text : text + "\n";
      write(0, mark, ((endsLine ? "" : "\n") + body + "FC " + mark.kind + " End RequestId: " + mark.requestId + suffix + "\n").getBytes(StandardCharsets.UTF_8));
    }
    mark.isStartDue = false;
  }

  /** `2026-11-22T10:04:19.024Z {requestId} [INFO] message`. Source: docs, assumed for Java. */
  void log(Mark mark, String level, String message) {
    Mark owner = mark == null ? current() : mark;
    String id = owner == null ? "" : owner.requestId + " ";
    write(0, owner, (TIME.format(Instant.now()) + " " + id + "[" + level + "] " + message + "\n").getBytes(StandardCharsets.UTF_8));
  }

  void print(String text) {
    write(1, current(), text.getBytes(StandardCharsets.UTF_8));
  }

  private synchronized void write(int stream, Mark mark, byte[] bytes) {
    try {
      if (mark != null && mark.isStartDue) {
        mark.isStartDue = false;
        mark.hasStart = true;
        ByteArrayOutputStream both = new ByteArrayOutputStream();
        both.writeBytes(((endsLine ? "" : "\n") + "FC " + mark.kind + " Start RequestId: " + mark.requestId + "\n").getBytes(StandardCharsets.UTF_8));
        both.writeBytes(bytes);
        bytes = both.toByteArray();
      }
      endsLine = bytes[bytes.length - 1] == '\n';
      descriptors[stream].write(bytes);
    } catch (IOException gone) {
      // The host has gone: nobody reads the log.
    }
  }

  /** What is under System.out: passes on all completed lines of each write. */
  private final class Lines extends OutputStream {
    private final int stream;
    private final ByteArrayOutputStream held = new ByteArrayOutputStream();

    Lines(int stream) {
      this.stream = stream;
    }

    @Override
    public void write(int one) {
      write(new byte[] {(byte) one}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) {
      synchronized (Output.this) {
        held.write(bytes, offset, length);
        boolean ends = length > 0 && bytes[offset + length - 1] == '\n';
        if (ends || held.size() > HOLD_LIMIT) flushHeld();
        else if (indexOfLast(bytes, offset, length) >= 0) flushLines();
      }
    }

    private int indexOfLast(byte[] bytes, int offset, int length) {
      for (int at = offset + length - 1; at >= offset; at--) if (bytes[at] == '\n') return at;
      return -1;
    }

    private void flushLines() {
      byte[] all = held.toByteArray();
      int end = indexOfLast(all, 0, all.length) + 1;
      held.reset();
      held.write(all, end, all.length - end);
      Output.this.write(stream, current(), java.util.Arrays.copyOf(all, end));
    }

    void flushHeld() {
      synchronized (Output.this) {
        if (held.size() == 0) return;
        byte[] all = held.toByteArray();
        held.reset();
        Output.this.write(stream, current(), all);
      }
    }
  }
}
