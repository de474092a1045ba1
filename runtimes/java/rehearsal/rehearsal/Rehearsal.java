// What a process that waits runs as if it were a function, from a jar as functions come (src/yunmen/Spare.java).
package rehearsal;

import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

public class Rehearsal implements StreamRequestHandler {
  @Override
  public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
    output.write(context.getRequestId().getBytes(StandardCharsets.UTF_8));
    input.transferTo(output);
  }
}
