// HTTP handlers: the servlet request and response that HttpRequestHandler is given, of the javax.servlet interfaces that the
// function's package brings. There are no sessions, dispatchers, parts or asynchronous contexts.
// Source: docs; sdk (fc-java-core, javax.servlet 3.1).
package yunmen;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.net.URLDecoder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TimeZone;

final class Http {
  /** A body is collected up to this size; headers beyond the other would not fit a frame (PROTOCOL.md 6). */
  private static final int BODY_LIMIT = 16 * 1024 * 1024, HEADER_LIMIT = 16_384;

  record Answer(String head, byte[] body) {}

  private final ClassLoader loader;
  private final ClassLoader bridge;

  Http(ClassLoader loader) {
    this.loader = loader;
    this.bridge = new Bridge(loader);
  }

  Answer call(Handlers.Handler handler, Map<String, Object> given, byte[] body, Object context) throws Throwable {
    if (handler.form() != Handlers.Form.HTTP) throw new Errors.Told("InvalidHandleName", "the handler takes no HTTP calls");
    Request request = new Request(given, body);
    Response response = new Response();
    Handlers.invoke(
      handler,
      Contexts.proxy(loader, "javax.servlet.http.HttpServletRequest", request::call),
      Contexts.proxy(loader, "javax.servlet.http.HttpServletResponse", response::call),
      context
    );
    return response.answer();
  }

  /** Defines our subclasses of the package's servlet classes beside these. */
  private static final class Bridge extends ClassLoader {
    Bridge(ClassLoader parent) {
      super("function-bridge", parent);
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
      String resource = "/" + name.replace('.', '/') + ".class";
      if (!name.startsWith("yunmen.bridge.")) throw new ClassNotFoundException(name);
      try (InputStream bytes = Http.class.getResourceAsStream(resource)) {
        if (bytes == null) throw new ClassNotFoundException(name);
        byte[] all = bytes.readAllBytes();
        return defineClass(name, all, 0, all.length);
      } catch (IOException unreadable) {
        throw new ClassNotFoundException(name, unreadable);
      }
    }
  }

  private Object input(InputStream source) throws ReflectiveOperationException {
    return bridge.loadClass("yunmen.bridge.BodyInput").getConstructor(InputStream.class).newInstance(source);
  }

  private Object output(OutputStream target) throws ReflectiveOperationException {
    return bridge.loadClass("yunmen.bridge.BodyOutput").getConstructor(OutputStream.class).newInstance(target);
  }

  private Object cookie(String name, String value) throws ReflectiveOperationException {
    return Class.forName("javax.servlet.http.Cookie", true, loader).getConstructor(String.class, String.class).newInstance(name, value);
  }

  @SuppressWarnings("unchecked")
  private static List<String> texts(Object list) {
    return (List<String>) list;
  }

  private static SimpleDateFormat dates() {
    SimpleDateFormat format = new SimpleDateFormat("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.US);
    format.setTimeZone(TimeZone.getTimeZone("GMT"));
    return format;
  }

  private final class Request {
    private final Map<String, Object> given;
    private final byte[] body;
    private final Map<String, Object> attributes = new LinkedHashMap<>();
    private final Map<String, Object> headers;
    private String encoding;
    private Object stream;
    private BufferedReader reader;
    private Map<String, String[]> parameters;

    Request(Map<String, Object> given, byte[] body) {
      this.given = given;
      this.body = body;
      headers = Json.object(given.get("headersMap"));
      String type = header("content-type");
      int at = type == null ? -1 : type.toLowerCase().indexOf("charset=");
      if (at >= 0) encoding = type.substring(at + 8).replaceAll("[;\"].*", "").trim();
      attributes.put("FC_REQUEST_PATH", given.get("path"));
      attributes.put("FC_REQUEST_CLIENT_IP", given.get("clientIP"));
      attributes.put("FC_REQUEST_URI", given.get("requestURI"));
    }

    private List<String> headers(String name) {
      for (Map.Entry<String, Object> entry : headers.entrySet()) if (entry.getKey().equalsIgnoreCase(name)) return texts(entry.getValue());
      return List.of();
    }

    private String header(String name) {
      List<String> values = headers(name);
      return values.isEmpty() ? null : values.get(0);
    }

    private String uri() {
      return (String) given.get("requestURI");
    }

    private int queryAt() {
      return uri().indexOf('?');
    }

    private String path() {
      return queryAt() < 0 ? uri() : uri().substring(0, queryAt());
    }

    private Charset charset() {
      return encoding == null ? StandardCharsets.UTF_8 : Charset.forName(encoding);
    }

    private Map<String, String[]> parameters() {
      if (parameters != null) return parameters;
      Map<String, List<String>> all = new LinkedHashMap<>();
      Json.object(given.get("queriesMap")).forEach((name, values) -> all.put(name, new ArrayList<>(texts(values))));
      String type = header("content-type");
      if (type != null && type.toLowerCase().startsWith("application/x-www-form-urlencoded") && stream == null && reader == null) {
        for (String pair : new String(body, StandardCharsets.ISO_8859_1).split("&")) {
          if (pair.isEmpty()) continue;
          String[] parts = pair.split("=", 2);
          String value = parts.length == 1 ? "" : URLDecoder.decode(parts[1], charset());
          all.computeIfAbsent(URLDecoder.decode(parts[0], charset()), name -> new ArrayList<>()).add(value);
        }
      }
      parameters = new LinkedHashMap<>();
      all.forEach((name, values) -> parameters.put(name, values.toArray(String[]::new)));
      return parameters;
    }

    private Object cookies() throws ReflectiveOperationException {
      List<Object> made = new ArrayList<>();
      for (String line : headers("cookie")) {
        for (String pair : line.split(";")) {
          String[] parts = pair.trim().split("=", 2);
          if (parts.length == 2 && !parts[0].isEmpty()) made.add(cookie(parts[0], parts[1]));
        }
      }
      if (made.isEmpty()) return null;
      Object array = java.lang.reflect.Array.newInstance(made.get(0).getClass(), made.size());
      for (int at = 0; at < made.size(); at++) java.lang.reflect.Array.set(array, at, made.get(at));
      return array;
    }

    Object call(java.lang.reflect.Method method, Object[] arguments) throws Throwable {
      Object first = arguments.length == 0 ? null : arguments[0];
      return switch (method.getName()) {
        case "getMethod" -> given.get("method");
        case "getHeader" -> header((String) first);
        case "getHeaders" -> Collections.enumeration(headers((String) first));
        case "getHeaderNames" -> Collections.enumeration(headers.keySet());
        case "getIntHeader" -> header((String) first) == null ? -1 : Integer.parseInt(header((String) first));
        case "getDateHeader" -> header((String) first) == null ? -1L : dates().parse(header((String) first)).getTime();
        case "getContentType" -> header("content-type");
        case "getContentLength" -> body.length;
        case "getContentLengthLong" -> (long) body.length;
        case "getCharacterEncoding" -> encoding;
        case "setCharacterEncoding" -> {
          encoding = (String) first;
          yield null;
        }
        case "getInputStream" -> stream == null ? stream = input(new ByteArrayInputStream(body)) : stream;
        case "getReader" -> reader == null ? reader = new BufferedReader(new InputStreamReader(new ByteArrayInputStream(body), charset())) : reader;
        case "getRequestURI" -> path();
        case "getRequestURL" -> new StringBuffer("http://" + given.get("host") + path());
        case "getQueryString" -> queryAt() < 0 ? null : uri().substring(queryAt() + 1);
        case "getPathInfo" -> given.get("path");
        case "getContextPath", "getServletPath" -> "";
        case "getProtocol" -> "HTTP/1.1";
        case "getScheme" -> "http";
        case "getServerName" -> String.valueOf(given.get("host")).replaceAll(":\\d+$", "");
        case "getServerPort", "getLocalPort" -> 9000;
        case "getRemoteAddr", "getRemoteHost" -> given.get("clientIP");
        case "getRemotePort" -> 0;
        case "getLocalAddr" -> "127.0.0.1";
        case "getLocalName" -> "localhost";
        case "getLocale" -> Locale.getDefault();
        case "getLocales" -> Collections.enumeration(List.of(Locale.getDefault()));
        case "isSecure", "isAsyncStarted", "isAsyncSupported", "isUserInRole", "isRequestedSessionIdValid",
          "isRequestedSessionIdFromCookie", "isRequestedSessionIdFromURL", "isRequestedSessionIdFromUrl" -> false;
        case "getAuthType", "getRemoteUser", "getUserPrincipal", "getRequestedSessionId", "getPathTranslated", "getRealPath" -> null;
        case "getSession" -> {
          if (arguments.length == 1 && Boolean.FALSE.equals(first)) yield null;
          throw new UnsupportedOperationException("there are no sessions");
        }
        case "getAttribute" -> attributes.get((String) first);
        case "setAttribute" -> attributes.put((String) first, arguments[1]);
        case "removeAttribute" -> attributes.remove((String) first);
        case "getAttributeNames" -> Collections.enumeration(new ArrayList<>(attributes.keySet()));
        case "getParameter" -> parameters().containsKey(first) ? parameters().get(first)[0] : null;
        case "getParameterValues" -> parameters().get(first);
        case "getParameterNames" -> Collections.enumeration(parameters().keySet());
        case "getParameterMap" -> Collections.unmodifiableMap(parameters());
        case "getCookies" -> cookies();
        default -> throw new UnsupportedOperationException("HttpServletRequest." + method.getName());
      };
    }
  }

  private final class Response {
    private final ByteArrayOutputStream body = new ByteArrayOutputStream();
    private final Map<String, List<String>> headers = new LinkedHashMap<>();
    private int status = 200;
    private String type;
    private String encoding;
    private Object stream;
    private PrintWriter writer;

    private String known(String name) {
      for (String each : headers.keySet()) if (each.equalsIgnoreCase(name)) return each;
      return name;
    }

    private void set(String name, String value) {
      if (name.equalsIgnoreCase("content-type")) setType(value);
      else headers.put(known(name), new ArrayList<>(List.of(value)));
    }

    private void add(String name, String value) {
      if (name.equalsIgnoreCase("content-type")) setType(value);
      else headers.computeIfAbsent(known(name), missing -> new ArrayList<>()).add(value);
    }

    private void setType(String value) {
      int at = value == null ? -1 : value.toLowerCase().indexOf("charset=");
      if (at >= 0) encoding = value.substring(at + 8).replaceAll("[;\"].*", "").trim();
      type = value == null ? null : value.replaceAll("(?i);\\s*charset=.*", "");
    }

    private String contentType() {
      return type == null || encoding == null ? type : type + ";charset=" + encoding;
    }

    private PrintWriter writer() {
      if (encoding == null) encoding = "ISO-8859-1"; // the servlet specification's
      if (writer == null) writer = new PrintWriter(new OutputStreamWriter(body, Charset.forName(encoding)));
      return writer;
    }

    private void addCookie(Object cookie) throws ReflectiveOperationException {
      Class<?> known = cookie.getClass();
      StringBuilder line = new StringBuilder();
      line.append(known.getMethod("getName").invoke(cookie)).append('=').append(known.getMethod("getValue").invoke(cookie));
      Object path = known.getMethod("getPath").invoke(cookie);
      Object domain = known.getMethod("getDomain").invoke(cookie);
      int age = (int) known.getMethod("getMaxAge").invoke(cookie);
      if (age >= 0) line.append("; Max-Age=").append(age);
      if (domain != null) line.append("; Domain=").append(domain);
      if (path != null) line.append("; Path=").append(path);
      if ((boolean) known.getMethod("getSecure").invoke(cookie)) line.append("; Secure");
      if ((boolean) known.getMethod("isHttpOnly").invoke(cookie)) line.append("; HttpOnly");
      add("Set-Cookie", line.toString());
    }

    Object call(java.lang.reflect.Method method, Object[] arguments) throws Throwable {
      Object first = arguments.length == 0 ? null : arguments[0];
      switch (method.getName()) {
        case "setStatus" -> status = (int) first;
        case "getStatus" -> {
          return status;
        }
        case "sendError" -> {
          status = (int) first;
          body.reset();
          if (arguments.length > 1) body.writeBytes(String.valueOf(arguments[1]).getBytes(StandardCharsets.UTF_8));
        }
        case "sendRedirect" -> {
          status = 302;
          set("Location", (String) first);
        }
        case "setHeader" -> set((String) first, (String) arguments[1]);
        case "addHeader" -> add((String) first, (String) arguments[1]);
        case "setIntHeader" -> set((String) first, String.valueOf(arguments[1]));
        case "addIntHeader" -> add((String) first, String.valueOf(arguments[1]));
        case "setDateHeader" -> set((String) first, dates().format(new Date((long) arguments[1])));
        case "addDateHeader" -> add((String) first, dates().format(new Date((long) arguments[1])));
        case "containsHeader" -> {
          return headers.containsKey(known((String) first)) || ("content-type".equalsIgnoreCase((String) first) && type != null);
        }
        case "getHeader" -> {
          List<String> values = headers.get(known((String) first));
          return values == null ? null : values.get(0);
        }
        case "getHeaders" -> {
          return headers.getOrDefault(known((String) first), List.of());
        }
        case "getHeaderNames" -> {
          return headers.keySet();
        }
        case "addCookie" -> addCookie(first);
        case "setContentType" -> setType((String) first);
        case "getContentType" -> {
          return contentType();
        }
        case "setCharacterEncoding" -> encoding = (String) first;
        case "getCharacterEncoding" -> {
          return encoding == null ? "ISO-8859-1" : encoding;
        }
        case "getOutputStream" -> {
          return stream == null ? stream = output(body) : stream;
        }
        case "getWriter" -> {
          return writer();
        }
        case "reset" -> {
          body.reset();
          headers.clear();
          status = 200;
          type = null;
        }
        case "resetBuffer" -> body.reset();
        case "flushBuffer" -> {
          if (writer != null) writer.flush();
        }
        case "isCommitted" -> {
          return false;
        }
        case "getBufferSize" -> {
          return BODY_LIMIT;
        }
        case "getLocale" -> {
          return Locale.getDefault();
        }
        case "encodeURL", "encodeRedirectURL", "encodeUrl", "encodeRedirectUrl" -> {
          return first;
        }
        // The length is what the body is; buffers and locales change nothing.
        case "setContentLength", "setContentLengthLong", "setBufferSize", "setLocale" -> {}
        default -> throw new UnsupportedOperationException("HttpServletResponse." + method.getName());
      }
      return null;
    }

    Answer answer() {
      if (writer != null) writer.flush();
      if (type != null) headers.put("Content-Type", List.of(contentType()));
      int size = 0;
      for (Map.Entry<String, List<String>> entry : headers.entrySet()) {
        for (String value : entry.getValue()) size += entry.getKey().length() + value.length();
      }
      if (size > HEADER_LIMIT) throw new Errors.Told("BadResponse", "response headers of " + size + " bytes exceed 8192");
      if (body.size() > BODY_LIMIT) throw new Errors.Told("BadResponse", "the response body exceeds " + BODY_LIMIT + " bytes");
      Map<String, Object> head = new LinkedHashMap<>();
      head.put("status", status);
      head.put("headersMap", headers);
      return new Answer(Json.write(head), body.toByteArray());
    }
  }
}
