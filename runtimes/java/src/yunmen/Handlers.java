// The function's code: its class path, its handler and hooks by name, and the forms in which a handler is called.
// Source: docs; sdk (fc-java-core). Names of load errors: assumed.
package yunmen;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

final class Handlers {
  enum Form { STREAM, POJO, HTTP }

  /** A method to call; `target` is null for a static one. */
  record Handler(Object target, Method method, Form form) {}

  private static final String CONTEXT = "com.aliyun.fc.runtime.Context";
  private static final String REQUEST = "javax.servlet.http.HttpServletRequest";

  final ClassLoader loader;
  /** A class is made once: the initializer prepares the object that handles requests. */
  private final Map<Class<?>, Object> objects = new HashMap<>();
  private Pojos pojos;

  Handlers(Path code) throws IOException {
    loader = new URLClassLoader("function", classPath(code), ClassLoader.getPlatformClassLoader());
  }

  /** The code directory (an unpacked jar), jars in it and in its `lib`. */
  private static URL[] classPath(Path code) throws IOException {
    List<URL> urls = new ArrayList<>();
    urls.add(code.toUri().toURL());
    for (Path directory : List.of(code, code.resolve("lib"))) {
      if (!Files.isDirectory(directory)) continue;
      try (Stream<Path> files = Files.list(directory)) {
        for (Path file : files.filter(each -> each.toString().endsWith(".jar")).sorted().toList()) urls.add(urlOf(file));
      }
    }
    return urls.toArray(URL[]::new);
  }

  private static URL urlOf(Path file) throws MalformedURLException {
    return file.toUri().toURL();
  }

  /** The handler that `name` (`package.Class::method`) means. */
  Handler find(String name) throws Throwable {
    Class<?> type = typeOf(name);
    Method method = method(type, name, 2, 3);
    Class<?>[] types = method.getParameterTypes();
    Form form = types.length == 2 ? Form.POJO : types[0].getName().equals(REQUEST) ? Form.HTTP : Form.STREAM;
    return new Handler(objectOf(type, method), method, form);
  }

  /** Runs a hook: a method that takes the context alone. */
  void run(String name, Object context) throws Throwable {
    Class<?> type = typeOf(name);
    Method method = method(type, name, 1, 1);
    invoke(new Handler(objectOf(type, method), method, null), context);
  }

  private Class<?> typeOf(String name) throws ClassNotFoundException {
    int split = name.indexOf("::");
    if (split < 1 || split + 2 == name.length()) throw new Errors.Told("InvalidHandleName", "Invalid handler '" + name + "'");
    return Class.forName(name.substring(0, split), true, loader);
  }

  private static Method method(Class<?> type, String name, int least, int most) {
    String wanted = name.substring(name.indexOf("::") + 2);
    for (Method method : type.getMethods()) {
      Class<?>[] types = method.getParameterTypes();
      boolean fits = types.length >= least && types.length <= most && types[types.length - 1].getName().equals(CONTEXT);
      if (fits && method.getName().equals(wanted) && !method.isBridge()) return method;
    }
    throw new Errors.Told("HandlerNotFound", "Class '" + type.getName() + "' has no public method '" + wanted + "' of a handler's form");
  }

  private synchronized Object objectOf(Class<?> type, Method method) throws Throwable {
    if (Modifier.isStatic(method.getModifiers())) return null;
    Object known = objects.get(type);
    if (known != null) return known;
    try {
      Object made = type.getConstructor().newInstance();
      objects.put(type, made);
      return made;
    } catch (InvocationTargetException wrapped) {
      throw Contexts.causeOf(wrapped);
    }
  }

  static Object invoke(Handler handler, Object... arguments) throws Throwable {
    try {
      handler.method().setAccessible(true);
      return handler.method().invoke(handler.target(), arguments);
    } catch (InvocationTargetException wrapped) {
      throw Contexts.causeOf(wrapped);
    }
  }

  /** The result of an event handler. */
  byte[] call(Handler handler, byte[] event, Object context) throws Throwable {
    switch (handler.form()) {
      case STREAM -> {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        InputStream in = new ByteArrayInputStream(event);
        invoke(handler, in, (OutputStream) out, context);
        return out.toByteArray();
      }
      case POJO -> {
        Type[] types = handler.method().getGenericParameterTypes();
        return pojos().write(invoke(handler, pojos().read(event, types[0]), context));
      }
      default -> throw new Errors.Told("InvalidHandleName", "an HTTP handler cannot take an event");
    }
  }

  private synchronized Pojos pojos() {
    if (pojos == null) pojos = new Pojos(loader);
    return pojos;
  }

  /** JSON of handlers' own types: by the Jackson of the package when it brings one, else by Beans. */
  private static final class Pojos {
    private final Object mapper;
    private Method read, write, typed;

    Pojos(ClassLoader loader) {
      Object found = null;
      try {
        Class<?> type = Class.forName("com.fasterxml.jackson.databind.ObjectMapper", true, loader);
        found = type.getConstructor().newInstance();
        Class<?> javaType = Class.forName("com.fasterxml.jackson.databind.JavaType", true, loader);
        read = type.getMethod("readValue", byte[].class, javaType);
        write = type.getMethod("writeValueAsBytes", Object.class);
        typed = type.getMethod("constructType", Type.class);
      } catch (ReflectiveOperationException none) {
        found = null;
      }
      mapper = found;
    }

    Object read(byte[] event, Type type) throws Throwable {
      if (mapper == null) return Beans.read(Json.parse(new String(event, StandardCharsets.UTF_8)), type);
      try {
        return read.invoke(mapper, event, typed.invoke(mapper, type));
      } catch (InvocationTargetException wrapped) {
        throw Contexts.causeOf(wrapped);
      }
    }

    byte[] write(Object result) throws Throwable {
      if (mapper == null) return Json.write(Beans.plain(result)).getBytes(StandardCharsets.UTF_8);
      try {
        return (byte[]) write.invoke(mapper, result);
      } catch (InvocationTargetException wrapped) {
        throw Contexts.causeOf(wrapped);
      }
    }
  }
}
