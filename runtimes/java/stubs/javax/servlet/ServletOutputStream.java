// What the bridge is compiled against; never in the jar: the function's package brings the real one.
package javax.servlet;

public abstract class ServletOutputStream extends java.io.OutputStream {
  public abstract boolean isReady();

  public abstract void setWriteListener(WriteListener listener);
}
