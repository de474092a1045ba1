// The body of a request as javax.servlet knows it. Loaded below the function's class loader by Http.java, compiled
// against ../../../stubs.
package yunmen.bridge;

import java.io.IOException;
import java.io.InputStream;
import javax.servlet.ReadListener;
import javax.servlet.ServletInputStream;

public final class BodyInput extends ServletInputStream {
  private final InputStream source;

  public BodyInput(InputStream source) {
    this.source = source;
  }

  @Override
  public int read() throws IOException {
    return source.read();
  }

  @Override
  public int read(byte[] bytes, int offset, int length) throws IOException {
    return source.read(bytes, offset, length);
  }

  @Override
  public int available() throws IOException {
    return source.available();
  }

  @Override
  public boolean isFinished() {
    try {
      return source.available() == 0;
    } catch (IOException closed) {
      return true;
    }
  }

  @Override
  public boolean isReady() {
    return true;
  }

  @Override
  public void setReadListener(ReadListener listener) {
    throw new UnsupportedOperationException("setReadListener");
  }
}
