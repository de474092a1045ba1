# Several requests at a time: this thread reads frames, each request runs on a thread of its own.
# Entered by serve.py after a load frame that asks for it.
import threading

from . import wire as w
from .versions import read_json


def serve_many(instance, wire):
    """Until the host closes the connection."""
    shared = SharedWire(wire)
    incoming = {}
    active = []
    while True:
        kind, flags, stream, head, payload = wire.next()
        if kind == w.INVOKE:
            incoming[stream] = _Event(read_json(head), payload)
            if flags & w.FIN:
                _begin(instance, shared, active, stream, incoming.pop(stream))
        elif kind == w.CHUNK and stream in incoming:
            event = incoming[stream]
            event.parts.append(payload)
            if flags & w.FIN:
                _begin(instance, shared, active, stream, incoming.pop(stream))
                continue
            event.consumed += len(payload)
            if event.consumed >= w.WINDOW // 2:
                shared.grant(stream, event.consumed)
                event.consumed = 0
        elif kind == w.CREDIT and len(payload) == 4:
            shared.granted(stream, payload)
        elif kind == w.PING:
            shared.send(w.PING, 0, b'', payload, w.FIN)
        elif kind == w.HOOK:
            instance.hook(stream, read_json(head))
        elif kind != w.CANCEL:
            raise w.ProtocolError('unexpected frame of type %d' % kind)


class _Event(object):
    def __init__(self, head, first):
        self.head = head
        self.parts = [first]
        self.consumed = len(first)


def _begin(instance, shared, active, stream, event):
    def run():
        try:
            instance.answer(shared, stream, event.head, b''.join(event.parts))
        except SystemExit as leaving:
            instance.end(leaving.code)
        except (w.HostGone, EnvironmentError):
            instance.end(0)
        finally:
            shared.closed(stream)
            active.remove(stream)
            instance.set_busy(bool(active))

    active.append(stream)
    instance.set_busy(True)
    shared.opened(stream)
    thread = threading.Thread(target=run)
    thread.daemon = True
    thread.start()


class SharedWire(w.Wire):
    """The sending half of a wire for many threads; credit is told by the thread that reads."""

    __slots__ = ('_lock', '_credits', '_news')

    def __init__(self, wire):
        self._recv = None
        self._bytes = b''
        self._pending = []
        self._lock = threading.Lock()
        self._news = threading.Condition()
        self._credits = {}
        send_all = wire._send

        def send(data):
            with self._lock:
                send_all(data)

        self._send = send

    def opened(self, stream):
        with self._news:
            self._credits[stream] = 0

    def closed(self, stream):
        with self._news:
            self._credits.pop(stream, None)

    def grant(self, stream, count):
        self.send(w.CREDIT, stream, b'', w._u32.pack(count))

    def granted(self, stream, payload):
        with self._news:
            if stream in self._credits:
                self._credits[stream] += w._u32.unpack(payload)[0]
                self._news.notify_all()

    def _await_credit(self, stream):
        with self._news:
            while self._credits[stream] == 0:
                self._news.wait()
            granted, self._credits[stream] = self._credits[stream], 0
            return granted
