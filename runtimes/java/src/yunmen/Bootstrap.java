// Entry of a Java instance: reads the start line, connects to the host, says hello, serves until the host goes.
// Started as `java ... -cp build/bootstrap.jar yunmen.Bootstrap` by the launcher; the protocol is told in ../PROTOCOL.md.
package yunmen;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

public final class Bootstrap {
  private static final int LINE_LIMIT = 4096;

  public static void main(String[] arguments) throws IOException {
    boolean isSpare = Spare.isOne();
    Map<String, Object> start = Json.object(Json.parse(isSpare ? Spare.await() : readStartLine()));
    if (isSpare) Spare.take(Json.object(start.get("environment")));
    SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
    channel.connect(UnixDomainSocketAddress.of((String) start.get("socket")));
    Output output = Output.install();
    Wire wire = new Wire(channel);
    wire.send(Wire.HELLO, 0, hello((String) start.get("token")), Wire.NONE, 0);
    new Instance(wire, output).serve();
  }

  static String hello(String token) {
    Map<String, Object> hello = new LinkedHashMap<>();
    hello.put("token", token);
    hello.put("protocol", 1);
    hello.put("language", "java");
    hello.put("version", version());
    hello.put("pid", ProcessHandle.current().pid());
    return Json.write(hello);
  }

  /** Closing System.in puts /dev/null on fd 0. */
  private static String readStartLine() throws IOException {
    byte[] line = new byte[LINE_LIMIT];
    int length = 0;
    FileInputStream input = new FileInputStream(FileDescriptor.in);
    while (length == 0 || line[length - 1] != '\n') {
      int count = length == LINE_LIMIT ? -1 : input.read(line, length, LINE_LIMIT - length);
      if (count < 0) throw new IOException("no start line on standard input");
      length += count;
    }
    System.in.close();
    input.close();
    return new String(line, 0, length, StandardCharsets.UTF_8);
  }

  /** Three numbers, as `java --version` says it. */
  private static String version() {
    Runtime.Version version = Runtime.version();
    return version.feature() + "." + version.interim() + "." + version.update();
  }
}
