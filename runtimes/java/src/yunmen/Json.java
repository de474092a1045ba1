// JSON as the frames and the documents need it: maps, lists, text, numbers, booleans, null.
package yunmen;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

final class Json {
  private static final int DEPTH_LIMIT = 512;

  private final String text;
  private int at = 0;
  private int depth = 0;

  private Json(String text) {
    this.text = text;
  }

  /** Objects become LinkedHashMap, arrays ArrayList, numbers Long, BigInteger or BigDecimal. */
  static Object parse(String text) {
    Json parser = new Json(text);
    Object value = parser.value();
    parser.blank();
    if (parser.at < text.length()) throw parser.wrong();
    return value;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(Object value) {
    if (value instanceof Map<?, ?>) return (Map<String, Object>) value;
    throw new IllegalArgumentException("a JSON object is missing");
  }

  private IllegalArgumentException wrong() {
    return new IllegalArgumentException("malformed JSON at character " + at);
  }

  private void blank() {
    while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
  }

  private char next() {
    if (at >= text.length()) throw wrong();
    return text.charAt(at);
  }

  private Object value() {
    blank();
    switch (next()) {
      case '{':
        return members();
      case '[':
        return elements();
      case '"':
        return string();
      case 't':
        return word("true", Boolean.TRUE);
      case 'f':
        return word("false", Boolean.FALSE);
      case 'n':
        return word("null", null);
      default:
        return number();
    }
  }

  private Object word(String word, Object value) {
    if (!text.startsWith(word, at)) throw wrong();
    at += word.length();
    return value;
  }

  private Map<String, Object> members() {
    enter();
    Map<String, Object> map = new LinkedHashMap<>();
    blank();
    if (next() != '}') {
      do {
        blank();
        if (next() != '"') throw wrong();
        String name = string();
        blank();
        expect(':');
        map.put(name, value());
        blank();
      } while (goesOn('}'));
    }
    at++;
    depth--;
    return map;
  }

  private List<Object> elements() {
    enter();
    List<Object> list = new ArrayList<>();
    blank();
    if (next() != ']') {
      do {
        list.add(value());
        blank();
      } while (goesOn(']'));
    }
    at++;
    depth--;
    return list;
  }

  private void enter() {
    at++;
    if (++depth > DEPTH_LIMIT) throw new IllegalArgumentException("JSON nested deeper than " + DEPTH_LIMIT);
  }

  private void expect(char wanted) {
    if (next() != wanted) throw wrong();
    at++;
  }

  private boolean goesOn(char end) {
    if (next() == end) return false;
    expect(',');
    return true;
  }

  private String string() {
    StringBuilder out = new StringBuilder();
    for (at++; next() != '"'; at++) {
      char here = text.charAt(at);
      if (here < ' ') throw wrong();
      if (here != '\\') {
        out.append(here);
        continue;
      }
      at++;
      switch (next()) {
        case 'b' -> out.append('\b');
        case 'f' -> out.append('\f');
        case 'n' -> out.append('\n');
        case 'r' -> out.append('\r');
        case 't' -> out.append('\t');
        case 'u' -> {
          if (at + 4 >= text.length()) throw wrong();
          out.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
          at += 4;
        }
        case '"', '\\', '/' -> out.append(text.charAt(at));
        default -> throw wrong();
      }
    }
    at++;
    return out.toString();
  }

  private Number number() {
    int start = at;
    while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) at++;
    String digits = text.substring(start, at);
    try {
      if (!digits.matches("-?\\d+")) return new BigDecimal(digits);
      return digits.length() < 19 ? (Number) Long.valueOf(digits) : new BigInteger(digits);
    } catch (NumberFormatException malformed) {
      throw wrong();
    }
  }

  /** Of maps, lists, text, numbers, booleans and null, in ASCII. */
  static String write(Object value) {
    StringBuilder out = new StringBuilder();
    write(value, out);
    return out.toString();
  }

  private static void write(Object value, StringBuilder out) {
    if (value instanceof Map<?, ?> map) {
      out.append('{');
      String separator = "";
      for (Map.Entry<?, ?> entry : map.entrySet()) {
        out.append(separator);
        writeText(String.valueOf(entry.getKey()), out);
        out.append(':');
        write(entry.getValue(), out);
        separator = ",";
      }
      out.append('}');
    } else if (value instanceof Iterable<?> list) {
      out.append('[');
      String separator = "";
      for (Object each : list) {
        out.append(separator);
        write(each, out);
        separator = ",";
      }
      out.append(']');
    } else if (value instanceof Double || value instanceof Float) {
      double number = ((Number) value).doubleValue();
      if (Double.isFinite(number)) out.append(value);
      else writeText(value.toString(), out);
    } else if (value == null || value instanceof Number || value instanceof Boolean) {
      out.append(value);
    } else {
      writeText(value.toString(), out);
    }
  }

  private static void writeText(String text, StringBuilder out) {
    out.append('"');
    for (int at = 0; at < text.length(); at++) {
      char here = text.charAt(at);
      if (here == '"' || here == '\\') out.append('\\').append(here);
      else if (here == '\n') out.append("\\n");
      else if (here < ' ' || here > '~') out.append(String.format("\\u%04x", (int) here));
      else out.append(here);
    }
    out.append('"');
  }
}
