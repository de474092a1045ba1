// Error documents {errorMessage, errorType, errorCause, stackTrace}. Source: docs.
package yunmen;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class Errors {
  private Errors() {}

  /** An error that the platform itself tells of, with a documented or assumed name. */
  static final class Told extends RuntimeException {
    final String type;

    Told(String type, String message) {
      super(message, null, false, false);
      this.type = type;
    }
  }

  static byte[] document(Throwable thrown) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("errorMessage", String.valueOf(thrown.getMessage()));
    document.put("errorType", thrown instanceof Told told ? told.type : thrown.getClass().getName());
    if (thrown.getCause() != null) document.put("errorCause", thrown.getCause().toString()); // the form is assumed
    document.put("stackTrace", stack(thrown));
    return Json.write(document).getBytes(StandardCharsets.US_ASCII);
  }

  /** What the log shows of it. */
  static String text(Throwable thrown) {
    StringBuilder out = new StringBuilder();
    for (Throwable each = thrown; each != null && out.length() < 65_536; each = each.getCause()) {
      out.append(each == thrown ? "" : "Caused by: ").append(each instanceof Told told ? told.type + ": " + told.getMessage() : each).append('\n');
      for (String line : stack(each)) out.append("\tat ").append(line).append('\n');
    }
    return out.toString();
  }

  /** Up to the first frame of ours, and without the machinery between. */
  private static List<String> stack(Throwable thrown) {
    List<String> lines = new ArrayList<>();
    for (StackTraceElement frame : thrown.getStackTrace()) {
      String name = frame.getClassName();
      if (name.startsWith("yunmen.")) break;
      if (name.startsWith("jdk.internal.reflect.") || name.startsWith("java.lang.reflect.")) continue;
      lines.add(name + "." + frame.getMethodName() + "(" + place(frame) + ")");
    }
    return lines;
  }

  private static String place(StackTraceElement frame) {
    if (frame.isNativeMethod()) return "Native Method";
    if (frame.getFileName() == null) return "Unknown Source";
    return frame.getLineNumber() < 0 ? frame.getFileName() : frame.getFileName() + ":" + frame.getLineNumber();
  }
}
