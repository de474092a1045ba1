// What the bridge is compiled against; never in the jar: the function's package brings the real one.
package javax.servlet;

public abstract class ServletInputStream extends java.io.InputStream {
  public abstract boolean isFinished();

  public abstract boolean isReady();

  public abstract void setReadListener(ReadListener listener);
}
