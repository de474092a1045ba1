// The context object, made of the interfaces com.aliyun.fc.runtime that the function's own package brings.
// Source: sdk (com.aliyun.fc.runtime:fc-java-core 1.4.1); docs.
package yunmen;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

final class Contexts {
  private static final String PACKAGE = "com.aliyun.fc.runtime.";
  private static final List<String> LEVELS = List.of("trace", "debug", "info", "warn", "error", "fatal");

  private final ClassLoader loader;
  private final Map<String, Object> given;
  private final Output output;
  private volatile Map<String, Object> credentials;

  Contexts(ClassLoader loader, Map<String, Object> given, Output output) {
    this.loader = loader;
    this.given = given;
    this.output = output;
    renew(given.get("credentials"));
  }

  /** Credentials that hold from now on; null leaves the old ones. */
  void renew(Object fresh) {
    if (fresh != null) credentials = Json.object(fresh);
    else if (credentials == null) credentials = Map.of("accessKeyId", "", "accessKeySecret", "", "securityToken", "");
  }

  /** What a member of the context is, made when it is asked for: each is a class of its own to the function's loader. */
  private interface Member {
    Object make() throws ClassNotFoundException;
  }

  /** `span`: the caller's {context, baggages}; null: it names none. */
  Object make(Output.Mark mark, int retryCount, Map<String, Object> span) throws ClassNotFoundException {
    Map<String, Object> function = Json.object(given.get("function"));
    Map<String, Object> service = Json.object(given.get("service"));
    Map<String, Object> valid = credentials;
    Map<String, Object> members = new HashMap<>();
    members.put("getRequestId", mark.requestId);
    members.put("getRetryCount", retryCount);
    members.put("getExecutionCredentials", (Member) () -> proxy("Credentials", getters(valid)));
    members.put("getService", (Member) () -> proxy("Service", getters(service)));
    members.put("getFunctionParam", (Member) () -> proxy(
      "FunctionParam",
      Map.of(
        "getFunctionName", function.get("name"),
        "getFunctionHandler", function.get("handler"),
        "getFunctionInitializer", function.get("initializer"),
        "getMemoryLimitInMB", ((Number) function.get("memory")).intValue(),
        "getExecTimeLimitInMillis", (int) (((Number) function.get("timeout")).doubleValue() * 1000)
      )
    ));
    members.put("getTracing", (Member) () -> proxy(
      "OpenTracing",
      Map.of(
        "getSpanContext", span == null ? "" : span.get("context"),
        "getSpanBaggages", span == null ? Map.of() : span.get("baggages"),
        "getJaegerEndpoint", given.getOrDefault("jaegerEndpoint", "")
      )
    ));
    members.put("getLogger", (Member) () -> logger(mark));
    return proxy("Context", members);
  }

  private static Map<String, Object> getters(Map<String, Object> values) {
    Map<String, Object> members = new HashMap<>();
    values.forEach((member, value) -> members.put("get" + Character.toUpperCase(member.charAt(0)) + member.substring(1), value));
    return members;
  }

  private Object proxy(String name, Map<String, Object> members) throws ClassNotFoundException {
    return proxy(loader, PACKAGE + name, (method, arguments) -> {
      synchronized (members) {
        Object member = members.get(method.getName());
        if (member == null && !members.containsKey(method.getName())) throw new UnsupportedOperationException(method.getName());
        if (!(member instanceof Member due)) return member;
        Object made = due.make();
        members.put(method.getName(), made);
        return made;
      }
    });
  }

  private Object logger(Output.Mark mark) throws ClassNotFoundException {
    int[] lowest = {1}; // DEBUG; assumed
    return proxy(loader, PACKAGE + "FunctionComputeLogger", (method, arguments) -> {
      int level = LEVELS.indexOf(method.getName());
      if (level >= lowest[0]) output.log(mark, method.getName().toUpperCase(), String.valueOf(arguments[0]));
      else if (method.getName().equals("setLogLevel")) lowest[0] = ((Enum<?>) arguments[0]).ordinal();
      return null;
    });
  }

  interface Call {
    Object run(Method method, Object[] arguments) throws Throwable;
  }

  /** An object of the interface, as the function's own class loader knows it. */
  static Object proxy(ClassLoader loader, String interfaceName, Call call) throws ClassNotFoundException {
    Class<?> type = Class.forName(interfaceName, false, loader);
    InvocationHandler handler = (self, method, arguments) -> {
      if (method.getDeclaringClass() != Object.class) {
        if (method.isDefault()) return InvocationHandler.invokeDefault(self, method, arguments);
        return call.run(method, arguments == null ? new Object[0] : arguments);
      }
      return switch (method.getName()) {
        case "equals" -> self == arguments[0];
        case "hashCode" -> System.identityHashCode(self);
        default -> interfaceName + "@" + Integer.toHexString(System.identityHashCode(self));
      };
    };
    return Proxy.newProxyInstance(loader, new Class<?>[] {type}, handler);
  }

  static Throwable causeOf(InvocationTargetException wrapped) {
    return wrapped.getCause() == null ? wrapped : wrapped.getCause();
  }
}
