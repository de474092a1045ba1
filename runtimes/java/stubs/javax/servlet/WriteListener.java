// What the bridge is compiled against; never in the jar: the function's package brings the real one.
package javax.servlet;

public interface WriteListener {}
