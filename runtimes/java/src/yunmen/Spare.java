// A process that waits for a function: says that it is ready, takes its start line, and puts the environment that comes
// in it in the place of its own. Used by Bootstrap when FC_SPARE is set; see "Spares" in ../../../PROTOCOL.md.
package yunmen;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

final class Spare {
  private static final byte[] READY = "FC_SPARE ready\n".getBytes(StandardCharsets.US_ASCII);
  private static final String LOAD =
    "{\"handler\":\"rehearsal.Rehearsal::handleRequest\",\"codePath\":\"%s\",\"context\":{\"function\":{\"name\":\"\",\"handler\":\"\","
      + "\"initializer\":\"\",\"memory\":128,\"timeout\":1},\"service\":{\"name\":\"\",\"logProject\":\"\",\"logStore\":\"\","
      + "\"qualifier\":\"\",\"versionId\":\"\"},\"region\":\"\",\"accountId\":\"\",\"credentials\":null}}";
  private static final String INVOKE = "{\"requestId\":\"1\",\"tail\":false,\"deadline\":0}";
  /** Names and values as native/spare.c takes them: each ends with a zero byte. */
  private static final int WORD = 8;

  private Spare() {}

  /** Not by System.getenv, which would keep for ever what the process was started with. */
  static boolean isOne() throws IOException {
    try (FileInputStream file = new FileInputStream("/proc/self/environ")) {
      return ("\0" + new String(file.readAllBytes(), StandardCharsets.ISO_8859_1)).contains("\0FC_SPARE=");
    }
  }

  /** The start line, when it comes; fd 0 is /dev/null afterwards. The process ends when nobody will send one. */
  static String await() throws IOException {
    Path build = Path.of(System.getProperty("java.class.path")).getParent();
    System.load(build.resolve("spare.so").toString());
    rehearse(build.resolve("rehearsal"));
    System.gc();
    new FileOutputStream(FileDescriptor.out).write(READY);
    byte[] line = new byte[65536];
    int length = 0;
    FileInputStream input = new FileInputStream(FileDescriptor.in);
    while (length == 0 || line[length - 1] != '\n') {
      int count = length == line.length ? -1 : input.read(line, length, line.length - length);
      if (count < 0) Runtime.getRuntime().halt(0);
      length += count;
    }
    System.in.close();
    input.close();
    return new String(line, 0, length, StandardCharsets.UTF_8);
  }

  /** `given` becomes the whole environment, where user code will be is where we are. */
  static void take(Map<String, Object> given) throws IOException {
    StringBuilder text = new StringBuilder();
    for (Map.Entry<String, Object> each : given.entrySet()) text.append(each.getKey()).append('=').append(each.getValue()).append('\0');
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    for (int at = 0; at < bytes.length; at += WORD) {
      long word = 0;
      for (int each = 0; each < WORD && at + each < bytes.length; each += 1) word |= (bytes[at + each] & 0xffL) << (8 * each);
      put(at, word);
    }
    int error = take(bytes.length);
    if (error != 0) throw new IOException("the place of a function could not be taken: error " + error);
  }

  /** Eight bytes of the environment, the first the lowest. */
  private static native void put(int at, long word);

  /** The environment of so many bytes holds, and the working directory is that of the code. Gives an errno. */
  private static native int take(int length);

  /** A function is loaded and called, all within this process: classes are loaded and linked before a call waits for it. */
  private static void rehearse(Path code) throws IOException {
    Path address = Files.createTempDirectory("fc").resolve("s");
    try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      server.bind(UnixDomainSocketAddress.of(address));
      SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
      channel.connect(UnixDomainSocketAddress.of(address));
      try (SocketChannel accepted = server.accept(); channel) {
        Wire host = new Wire(accepted);
        Instance instance = new Instance(new Wire(channel), new Output());
        new Wire(channel).send(Wire.HELLO, 0, Bootstrap.hello(""), Wire.NONE, 0);
        host.next();
        host.send(Wire.LOAD, 1, LOAD.formatted(code), Wire.NONE, 0);
        instance.step();
        host.next();
        host.send(Wire.INVOKE, 3, INVOKE, READY, Wire.FIN);
        instance.step();
        host.next();
        instance.forget();
      }
    } finally {
      Files.deleteIfExists(address);
      Files.delete(address.getParent());
    }
  }
}
