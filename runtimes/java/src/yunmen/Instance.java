// The life of an instance: load, then requests, each on a thread of its own, while this one reads.
package yunmen;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

final class Instance {
  private static final String UNHANDLED_SUFFIX = ", Error: Unhandled function error";
  private static final Map<String, String> MARKER_WORDS = Map.of("initialize", "Initialize", "preFreeze", "PreFreeze", "preStop", "PreStop");

  private interface Work {
    void run() throws Throwable;
  }

  /** An event that comes in parts. */
  private static final class Incoming {
    final Map<String, Object> head;
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    int consumed = 0;

    Incoming(Map<String, Object> head) {
      this.head = head;
    }
  }

  private final Wire wire;
  private final Output output;
  private final PeakMemory memory = new PeakMemory();
  private final Map<Integer, Incoming> incoming = new HashMap<>();
  private final AtomicInteger active = new AtomicInteger();
  private ExecutorService workers;
  private int limit = 1;
  private boolean isLoading = false;
  private volatile Handlers handlers;
  private volatile Handlers.Handler handler;
  private volatile Contexts contexts;
  private Http http;

  Instance(Wire wire, Output output) {
    this.wire = wire;
    this.output = output;
  }

  /** Until the host closes the connection; then the process ends, whatever threads there are. */
  void serve() {
    int code = 0;
    Environment.clean();
    try {
      while (true) step();
    } catch (Wire.Broken | IllegalArgumentException broken) {
      output.print("protocol error: " + broken.getMessage() + "\n");
      code = 1;
    } catch (IOException gone) {
      code = 0;
    }
    Runtime.getRuntime().halt(code);
  }

  void step() throws IOException {
    take(wire.next());
  }

  /** Of a rehearsal nothing is kept. */
  void forget() throws IOException {
    workers.shutdown();
    ((URLClassLoader) handlers.loader).close();
  }

  private void take(Wire.Frame frame) throws IOException {
    switch (frame.kind()) {
      case Wire.LOAD -> load(frame);
      case Wire.HOOK -> hook(frame);
      case Wire.INVOKE -> {
        Incoming event = new Incoming(Json.object(Json.parse(frame.head())));
        event.bytes.writeBytes(frame.payload());
        if (frame.isFinal()) invoke(frame.stream(), event);
        else incoming.put(frame.stream(), event);
      }
      case Wire.CHUNK -> takeChunk(frame);
      case Wire.CREDIT -> wire.granted(frame);
      case Wire.PING -> wire.send(Wire.PING, 0, "", frame.payload(), Wire.FIN);
      case Wire.CANCEL -> {} // a handler cannot be stopped: the host ends the instance if it will not wait
      default -> throw new Wire.Broken("unexpected frame of type " + frame.kind());
    }
  }

  private void takeChunk(Wire.Frame frame) throws IOException {
    Incoming event = incoming.get(frame.stream());
    if (event == null) throw new Wire.Broken("chunk of an unknown stream " + frame.stream());
    if (event.consumed == 0 && event.bytes.size() > 0) event.consumed = event.bytes.size();
    event.bytes.writeBytes(frame.payload());
    if (frame.isFinal()) {
      incoming.remove(frame.stream());
      invoke(frame.stream(), event);
      return;
    }
    event.consumed += frame.payload().length;
    if (event.consumed < Wire.WINDOW / 2) return;
    wire.grant(frame.stream(), event.consumed);
    event.consumed = 0;
  }

  /** Runs a request's work beside the reading. */
  private void begin(int most, Work work) throws IOException {
    if (active.incrementAndGet() > most) throw new Wire.Broken("a request out of turn");
    if (workers == null) {
      workers = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task, "request");
        thread.setDaemon(true);
        return thread;
      });
    }
    workers.execute(() -> {
      try {
        work.run();
      } catch (Throwable thrown) {
        // Writing the answer failed: the host has gone, or we are broken.
        output.print(Errors.text(thrown));
        Runtime.getRuntime().halt(thrown instanceof IOException ? 0 : 1);
      }
    });
  }

  private void load(Wire.Frame frame) throws IOException {
    if (isLoading) throw new Wire.Broken("a second load");
    isLoading = true;
    Map<String, Object> head = Json.object(Json.parse(frame.head()));
    if (head.get("concurrency") instanceof Number number && number.intValue() > 1) {
      limit = number.intValue();
      output.separate();
    }
    begin(1, () -> {
      long began = System.nanoTime();
      try {
        handlers = new Handlers(Path.of((String) head.get("codePath")));
        Thread.currentThread().setContextClassLoader(handlers.loader);
        contexts = new Contexts(handlers.loader, Json.object(head.get("context")), output);
        handler = handlers.find((String) head.get("handler"));
      } catch (Throwable thrown) {
        output.print(Errors.text(thrown));
        fail(frame.stream(), thrown, began);
        return;
      }
      System.out.flush();
      end(frame.stream(), Wire.NONE, null, began);
    });
  }

  private void invoke(int stream, Incoming event) throws IOException {
    if (handler == null) throw new Wire.Broken("invoke without a loaded handler");
    begin(limit, () -> {
      long began = System.nanoTime();
      Map<String, Object> head = event.head;
      Thread.currentThread().setContextClassLoader(handlers.loader);
      Output.Mark mark = output.begin("Invoke", (String) head.get("requestId"), Boolean.TRUE.equals(head.get("tail")));
      byte[] result;
      String answer = null;
      try {
        contexts.renew(head.get("credentials"));
        int retryCount = head.get("retryCount") instanceof Number count ? count.intValue() : 0;
        Object context = contexts.make(mark, retryCount, head.containsKey("span") ? Json.object(head.get("span")) : null);
        if (head.containsKey("http")) {
          Http.Answer made = http().call(handler, Json.object(head.get("http")), event.bytes.toByteArray(), context);
          result = made.body();
          answer = made.head();
        } else {
          result = handlers.call(handler, event.bytes.toByteArray(), context);
        }
      } catch (Throwable thrown) {
        output.finish(mark, UNHANDLED_SUFFIX, Errors.text(thrown));
        fail(stream, thrown, began);
        return;
      }
      output.finish(mark, "", "");
      end(stream, result, answer, began);
    });
  }

  private synchronized Http http() {
    if (http == null) http = new Http(handlers.loader);
    return http;
  }

  private void hook(Wire.Frame frame) throws IOException {
    if (contexts == null) throw new Wire.Broken("hook before load");
    Map<String, Object> head = Json.object(Json.parse(frame.head()));
    begin(1, () -> {
      long began = System.nanoTime();
      Thread.currentThread().setContextClassLoader(handlers.loader);
      String word = MARKER_WORDS.getOrDefault((String) head.get("hook"), "Hook");
      Output.Mark mark = output.begin(word, (String) head.get("requestId"), false);
      try {
        handlers.run((String) head.get("handler"), contexts.make(mark, 0, null));
      } catch (Throwable thrown) {
        output.finish(mark, UNHANDLED_SUFFIX, Errors.text(thrown));
        fail(frame.stream(), thrown, began);
        return;
      }
      output.finish(mark, "", "");
      end(frame.stream(), Wire.NONE, null, began);
    });
  }

  private void end(int stream, byte[] result, String answer, long began) throws IOException {
    active.decrementAndGet();
    wire.close(Wire.END, stream, "{\"rss\":" + memory.kilobytes(began) + "}", result, answer);
  }

  private void fail(int stream, Throwable thrown, long began) throws IOException {
    active.decrementAndGet();
    String head = "{\"type\":\"UnhandledInvocationError\",\"rss\":" + memory.kilobytes(began) + "}";
    wire.close(Wire.ERROR, stream, head, Errors.document(thrown), null);
  }
}
