// Frames over one socket: the instance's end. One thread reads; any may send.
package yunmen;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

final class Wire {
  static final int HELLO = 1, LOAD = 2, INVOKE = 3, RESPONSE_HEAD = 4, CHUNK = 5, END = 6, ERROR = 7, CANCEL = 8, CREDIT = 9, PING = 10, HOOK = 11;
  static final int FIN = 1;
  static final int WINDOW = 262_144;
  static final byte[] NONE = new byte[0];
  private static final int FRAME_LIMIT = 65_536;
  private static final int HEADER_SIZE = 12;

  /** The host sent what the protocol does not allow. */
  static final class Broken extends IOException {
    Broken(String message) {
      super(message);
    }
  }

  record Frame(int kind, boolean isFinal, int stream, String head, byte[] payload) {}

  /** What may still be sent of the large results under way, by stream. */
  private static final class Credit {
    long bytes = WINDOW;
  }

  private final SocketChannel channel;
  private final ByteBuffer input = ByteBuffer.allocate(FRAME_LIMIT).limit(0);
  private final Map<Integer, Credit> credits = new ConcurrentHashMap<>();

  Wire(SocketChannel channel) {
    this.channel = channel;
  }

  /** The next frame. Throws EOFException when the host has gone. */
  Frame next() throws IOException {
    need(HEADER_SIZE);
    int start = input.position();
    long length = input.getInt(start) & 0xffff_ffffL;
    int headSize = input.getShort(start + 6) & 0xffff;
    if (length + 4 > FRAME_LIMIT || headSize + 8L > length) throw new Broken("frame of " + (length + 4) + " bytes with a head of " + headSize);
    int total = (int) length + 4;
    need(total);
    start = input.position();
    byte[] bytes = input.array();
    String head = new String(bytes, start + HEADER_SIZE, headSize, StandardCharsets.UTF_8);
    byte[] payload = new byte[total - HEADER_SIZE - headSize];
    System.arraycopy(bytes, start + HEADER_SIZE + headSize, payload, 0, payload.length);
    Frame frame = new Frame(bytes[start + 4], (bytes[start + 5] & FIN) != 0, input.getInt(start + 8), head, payload);
    input.position(start + total);
    return frame;
  }

  private void need(int count) throws IOException {
    if (input.remaining() >= count) return;
    input.compact();
    try {
      while (input.position() < count) if (channel.read(input) < 0) throw new EOFException();
    } finally {
      input.flip();
    }
  }

  /** One frame, which must fit. */
  void send(int kind, int stream, String head, byte[] payload, int flags) throws IOException {
    send(kind, stream, head, ByteBuffer.wrap(payload), flags);
  }

  private void send(int kind, int stream, String head, ByteBuffer payload, int flags) throws IOException {
    byte[] headBytes = head.getBytes(StandardCharsets.UTF_8);
    int size = HEADER_SIZE + headBytes.length + payload.remaining();
    ByteBuffer frame = ByteBuffer.allocate(size);
    frame.putInt(size - 4).put((byte) kind).put((byte) flags).putShort((short) headBytes.length).putInt(stream).put(headBytes).put(payload).flip();
    synchronized (channel) {
      while (frame.hasRemaining()) channel.write(frame);
    }
  }

  void grant(int stream, int bytes) throws IOException {
    send(CREDIT, stream, "", ByteBuffer.allocate(4).putInt(bytes).array(), 0);
  }

  /** The host grants more. */
  void granted(Frame frame) {
    Credit credit = credits.get(frame.stream());
    if (credit == null || frame.payload().length != 4) return;
    synchronized (credit) {
      credit.bytes += ByteBuffer.wrap(frame.payload()).getInt() & 0xffff_ffffL;
      credit.notifyAll();
    }
  }

  /**
   * Closes the stream with `body`: one frame if it fits, else response-head, chunks and the last frame. `http` is null,
   * or the head of the answer to an HTTP call as JSON: it stands in the first frame.
   */
  void close(int kind, int stream, String head, byte[] body, String http) throws IOException {
    String whole = http == null ? head : head.substring(0, head.length() - 1) + ",\"http\":" + http + "}";
    int wholeSize = whole.getBytes(StandardCharsets.UTF_8).length;
    if (HEADER_SIZE + wholeSize + body.length <= FRAME_LIMIT) {
      send(kind, stream, whole, body, 0);
      return;
    }
    Credit credit = new Credit();
    credits.put(stream, credit);
    try {
      send(RESPONSE_HEAD, stream, http == null ? "" : "{\"http\":" + http + "}", NONE, 0);
      int sent = 0;
      int lastLimit = FRAME_LIMIT - HEADER_SIZE - head.length();
      while (true) {
        int left = body.length - sent;
        long window = awaitWindow(credit, left);
        if (left <= lastLimit && left <= window) break;
        int part = (int) Math.min(Math.min(left, FRAME_LIMIT - HEADER_SIZE), window);
        send(CHUNK, stream, "", ByteBuffer.wrap(body, sent, part), 0);
        sent += part;
        synchronized (credit) {
          credit.bytes -= part;
        }
      }
      send(kind, stream, head, ByteBuffer.wrap(body, sent, body.length - sent), 0);
    } finally {
      credits.remove(stream);
    }
  }

  private static long awaitWindow(Credit credit, int left) throws IOException {
    synchronized (credit) {
      while (credit.bytes == 0 && left > 0) {
        try {
          credit.wait();
        } catch (InterruptedException interrupted) {
          Thread.interrupted(); // the function interrupted its own thread: the answer goes out all the same
        }
      }
      return credit.bytes;
    }
  }
}
