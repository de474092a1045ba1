// JSON to and from the types of a handler's own parameter and result, for packages that bring no Jackson: bean properties,
// public fields, collections, maps, arrays, enums. What a package's Jackson can do beyond that, it does itself (Pojos.java).
package yunmen;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

final class Beans {
  private Beans() {}

  /** A value of `type` from parsed JSON. Throws IllegalArgumentException when it does not fit. */
  static Object read(Object json, Type type) throws ReflectiveOperationException {
    Class<?> raw = rawOf(type);
    if (json == null) return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
    if (raw == Object.class || (raw.isInstance(json) && !(json instanceof Map) && !(json instanceof List))) return json;
    if (raw == String.class) return String.valueOf(json);
    if (raw == boolean.class || raw == Boolean.class) return json instanceof Boolean ? json : Boolean.valueOf(String.valueOf(json));
    if (raw == char.class || raw == Character.class) return String.valueOf(json).charAt(0);
    if (raw.isPrimitive() || Number.class.isAssignableFrom(raw)) return number(new BigDecimal(String.valueOf(json)), raw);
    if (raw == Date.class) return new Date(new BigDecimal(String.valueOf(json)).longValue());
    if (raw.isEnum()) return constant(raw, String.valueOf(json));
    if (raw.isArray()) return array(json, type instanceof GenericArrayType generic ? generic.getGenericComponentType() : raw.getComponentType());
    if (Collection.class.isAssignableFrom(raw)) return collection(json, raw, argument(type, 0));
    if (Map.class.isAssignableFrom(raw)) return map(json, raw, argument(type, 1));
    return bean(json, raw);
  }

  private static Object number(BigDecimal value, Class<?> type) {
    if (type == int.class || type == Integer.class) return value.intValueExact();
    if (type == long.class || type == Long.class) return value.longValueExact();
    if (type == double.class || type == Double.class) return value.doubleValue();
    if (type == float.class || type == Float.class) return value.floatValue();
    if (type == short.class || type == Short.class) return value.shortValueExact();
    if (type == byte.class || type == Byte.class) return value.byteValueExact();
    if (type == BigInteger.class) return value.toBigIntegerExact();
    return value;
  }

  private static Object constant(Class<?> type, String name) {
    for (Object each : type.getEnumConstants()) if (((Enum<?>) each).name().equals(name)) return each;
    throw new IllegalArgumentException("'" + name + "' is none of " + type.getName());
  }

  private static Object array(Object json, Type element) throws ReflectiveOperationException {
    List<?> list = list(json);
    Object made = Array.newInstance(rawOf(element), list.size());
    for (int at = 0; at < list.size(); at++) Array.set(made, at, read(list.get(at), element));
    return made;
  }

  @SuppressWarnings("unchecked")
  private static Object collection(Object json, Class<?> raw, Type element) throws ReflectiveOperationException {
    Collection<Object> made;
    if (!raw.isInterface()) made = (Collection<Object>) raw.getDeclaredConstructor().newInstance();
    else made = Set.class.isAssignableFrom(raw) ? new LinkedHashSet<>() : new ArrayList<>();
    for (Object each : list(json)) made.add(read(each, element));
    return made;
  }

  @SuppressWarnings("unchecked")
  private static Object map(Object json, Class<?> raw, Type member) throws ReflectiveOperationException {
    Map<Object, Object> made = raw.isInterface() ? new LinkedHashMap<>() : (Map<Object, Object>) raw.getDeclaredConstructor().newInstance();
    for (Map.Entry<String, Object> entry : Json.object(json).entrySet()) made.put(entry.getKey(), read(entry.getValue(), member));
    return made;
  }

  private static Object bean(Object json, Class<?> raw) throws ReflectiveOperationException {
    if (!(json instanceof Map<?, ?>)) throw new IllegalArgumentException("a JSON object is missing for " + raw.getName());
    var constructor = raw.getDeclaredConstructor();
    constructor.setAccessible(true);
    Object made = constructor.newInstance();
    for (Map.Entry<String, Object> entry : Json.object(json).entrySet()) {
      Method setter = setter(raw, entry.getKey());
      if (setter != null) {
        setter.setAccessible(true);
        setter.invoke(made, read(entry.getValue(), setter.getGenericParameterTypes()[0]));
        continue;
      }
      Field field = field(raw, entry.getKey());
      if (field == null) throw new IllegalArgumentException("Unrecognized field \"" + entry.getKey() + "\" (class " + raw.getName() + ")");
      field.set(made, read(entry.getValue(), field.getGenericType()));
    }
    return made;
  }

  private static Method setter(Class<?> type, String name) {
    for (Method method : type.getMethods()) {
      if (method.getParameterCount() == 1 && method.getName().startsWith("set") && !method.isBridge() && property(method, 3).equals(name)) return method;
    }
    return null;
  }

  private static Field field(Class<?> type, String name) {
    for (Field field : type.getFields()) if (field.getName().equals(name) && !Modifier.isStatic(field.getModifiers())) return field;
    return null;
  }

  private static String property(Method method, int prefix) {
    // As Jackson names them: all capitals at the beginning become small.
    char[] name = method.getName().substring(prefix).toCharArray();
    for (int at = 0; at < name.length && Character.isUpperCase(name[at]); at++) name[at] = Character.toLowerCase(name[at]);
    return new String(name);
  }

  private static List<?> list(Object json) {
    if (json instanceof List<?> list) return list;
    throw new IllegalArgumentException("a JSON array is missing");
  }

  private static Type argument(Type type, int at) {
    return type instanceof ParameterizedType generic && generic.getActualTypeArguments().length > at ? generic.getActualTypeArguments()[at] : Object.class;
  }

  private static Class<?> rawOf(Type type) {
    if (type instanceof Class<?> raw) return raw;
    if (type instanceof ParameterizedType generic) return (Class<?>) generic.getRawType();
    if (type instanceof GenericArrayType array) return rawOf(array.getGenericComponentType()).arrayType();
    if (type instanceof WildcardType wild) return rawOf(wild.getUpperBounds()[0]);
    if (type instanceof TypeVariable<?> variable) return rawOf(variable.getBounds()[0]);
    return Object.class;
  }

  /** What Json.write takes, of any value: beans as maps of their properties. */
  static Object plain(Object value) throws ReflectiveOperationException {
    if (value == null || value instanceof Number || value instanceof Boolean || value instanceof CharSequence) return value;
    if (value instanceof Character || value instanceof Enum<?>) return value instanceof Enum<?> constant ? constant.name() : value.toString();
    if (value instanceof Date date) return date.getTime();
    if (value instanceof Optional<?> optional) return plain(optional.orElse(null));
    if (value instanceof byte[] bytes) return java.util.Base64.getEncoder().encodeToString(bytes);
    if (value instanceof Map<?, ?> map) {
      Map<String, Object> made = new LinkedHashMap<>();
      for (Map.Entry<?, ?> entry : map.entrySet()) made.put(String.valueOf(entry.getKey()), plain(entry.getValue()));
      return made;
    }
    List<Object> list = new ArrayList<>();
    if (value instanceof Iterable<?> each) {
      for (Object element : each) list.add(plain(element));
      return list;
    }
    if (value.getClass().isArray()) {
      for (int at = 0; at < Array.getLength(value); at++) list.add(plain(Array.get(value, at)));
      return list;
    }
    return properties(value);
  }

  private static Map<String, Object> properties(Object value) throws ReflectiveOperationException {
    Map<String, Object> made = new LinkedHashMap<>();
    Class<?> type = value.getClass();
    for (Field field : type.getFields()) if (!Modifier.isStatic(field.getModifiers())) made.put(field.getName(), plain(field.get(value)));
    for (Method method : type.getMethods()) {
      boolean isGetter = method.getName().matches("get.+") || (method.getName().matches("is.+") && method.getReturnType() == boolean.class);
      if (!isGetter || method.getParameterCount() > 0 || Modifier.isStatic(method.getModifiers()) || method.getDeclaringClass() == Object.class) continue;
      method.setAccessible(true);
      made.put(property(method, method.getName().startsWith("is") ? 2 : 3), plain(method.invoke(value)));
    }
    if (made.isEmpty()) throw new IllegalArgumentException("No serializer found for class " + type.getName());
    return made;
  }
}
