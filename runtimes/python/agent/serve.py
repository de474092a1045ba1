# The life of an instance: hello, load, then one request after the other. Entered by bootstrap.py.
import _socket  # the socket module itself costs milliseconds at start
import json
import os
import signal
import sys
import traceback

from . import wire as w
from .context import ContextMaker
from .errors import LoadError, document_of, text_of
from .handler import clean_environment, encode_result, enter_code, find_handler
from .memory import PeakMemory
from .output import Output
from .recalls import LIMIT, Recalls
from .threads import serve_many
from .versions import close_on_exec, read_json, to_bytes
from .wsgi import call as call_http

UNHANDLED_SUFFIX = ', Error: Unhandled function error'
TERMINATED = 128 + signal.SIGTERM
MARKER_WORDS = {'initialize': 'Initialize', 'preFreeze': 'PreFreeze', 'preStop': 'PreStop'}


def prepare(path):
    """Connects to the host, and puts in place all that does not depend on the function."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)  # close-on-exec: what functions start lacks it
    close_on_exec(sock.fileno())
    sock.connect(path)
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=sock.close)
    output = Output()
    output.install()
    instance = Instance(w.Wire(sock), output, Recalls(path))
    signal.signal(signal.SIGTERM, instance.on_terminate)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return instance


def start(instance, token):
    """Serves until the host closes the connection, then ends the process."""
    clean_environment()
    instance.greet(token)
    del token
    output = instance.output
    code = 1
    try:
        instance.serve()
    except SystemExit as leaving:
        code = exit_code(leaving.code)
    except (w.HostGone, OSError, _socket.error):
        code = 0
    except w.ProtocolError as error:
        sys.stderr.write('protocol error: %s\n' % error)
    leave(output, code)


def leave(output, code):
    """Ends at once, whatever threads there are; what was printed goes out first."""
    try:
        output.flush()
    except OSError:
        pass  # the host has gone: nobody reads the log
    os._exit(code)


def exit_code(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xff
    sys.stderr.write('%s\n' % (code,))
    return 1


def rehearse(handler, event):
    """A request from its frame to its answer, over a connection with itself; nothing of it stays."""
    here, there = _socket.socketpair()
    instance, host = Instance(w.Wire(here), Output(), Recalls('')), w.Wire(there)
    instance.greet('')
    host.next()
    instance.rehearse(handler)
    host.send(w.INVOKE, 1, b'{"requestId":"rehearsal","tail":false}', event, w.FIN)
    instance.step()
    host.next()
    instance.close()
    here.close()
    there.close()


class Instance(object):
    def __init__(self, wire, output, recalls):
        self._wire = wire
        self.output = self._output = output
        self._recalls = recalls
        self._memory = PeakMemory()
        self._handler = None
        self._contexts = None
        self._is_busy = False

    def greet(self, token):
        """Says hello: it has been given its function."""
        hello = {'token': token, 'protocol': 1, 'language': 'python',
                 'version': '%d.%d.%d' % sys.version_info[:3], 'pid': os.getpid(), 'ahead': LIMIT}
        self._wire.send(w.HELLO, 0, json.dumps(hello).encode('utf-8'))

    def rehearse(self, handler):
        """As if it had been loaded."""
        self._contexts = ContextMaker('python3.10', {})
        self._handler = handler

    def step(self):
        """One request."""
        _, flags, stream, head, event = self._wire.next()
        self._invoke(stream, flags, read_json(head), event)

    def close(self):
        self._memory.close()

    def serve(self):
        read = self._wire.next
        while True:
            kind, flags, stream, head, payload = read()
            if kind == w.INVOKE:
                self._invoke(stream, flags, read_json(head), payload)
            elif kind == w.PING:
                self._wire.send(w.PING, 0, b'', payload, w.FIN)
            elif kind == w.LOAD and self._contexts is None:
                given = read_json(head)
                self._load(stream, given)
                if given.get('concurrency', 1) > 1:
                    self._output.separate()
                    self._contexts.show_logger()
                    serve_many(self, self._wire)
            elif kind == w.HOOK:
                self._hook(stream, read_json(head))
            elif kind != w.CANCEL and kind != w.CREDIT:  # those two may come after their stream has closed
                raise w.ProtocolError('unexpected frame of type %d' % kind)

    def _load(self, stream, head):
        self._contexts = ContextMaker(head.get('dialect', ''), head.get('context') or {})
        try:
            self._is_busy = True
            enter_code(head['codePath'])
            self._handler = find_handler(head['handler'])
        except LoadError as error:
            self._output.write(to_bytes(text_of(error)))
            self._output.flush()
            self._fail(stream, error)
            return
        finally:
            self._is_busy = False
        self._output.flush()
        self._wire.send(w.END, stream, b'{"rss":%d}' % self._memory.kilobytes())

    def _invoke(self, stream, flags, head, event):
        if self._handler is None:
            raise w.ProtocolError('invoke without a loaded handler')
        if 'ahead' in head and stream in self._recalls:
            self._wire.send(w.RECALLED, stream, b'')
            return
        if not flags & w.FIN:
            event = self._wire.read_body(stream, event)
        self._is_busy = True
        self.answer(self._wire, stream, head, event)
        self._is_busy = False

    def answer(self, wire, stream, head, event):
        """Runs one request and sends its answer."""
        output = self._output
        mark = output.begin('Invoke', head['requestId'], head['tail'])
        self._memory.begin()
        try:
            about = head['requestId'], head.get('retryCount', 0), head.get('credentials'), head.get('span')
            context = self._contexts.make(*about)
            given = head.get('http')
            http = None
            if given is None:
                result = encode_result(self._handler(event, context))
            else:
                http, result = call_http(self._handler, given, event, context)
        except SystemExit:
            raise
        except BaseException as error:
            output.finish(mark, UNHANDLED_SUFFIX, text_of(error))
            self._fail(stream, error, wire)
            return
        output.finish(mark)
        wire.send_body(w.END, stream, b'{"rss":%d}' % self._memory.kilobytes(), result, http)

    def _hook(self, stream, head):
        if self._contexts is None:
            raise w.ProtocolError('hook before load')
        output = self._output
        mark = output.begin(MARKER_WORDS.get(head['hook'], 'Hook'), head['requestId'], False)
        self._is_busy = True
        try:
            find_handler(head['handler'])(self._contexts.make(head['requestId']))
        except SystemExit:
            raise
        except BaseException as error:
            self._is_busy = False
            output.finish(mark, UNHANDLED_SUFFIX, text_of(error))
            self._fail(stream, error)
            return
        self._is_busy = False
        output.finish(mark)
        self._wire.send(w.END, stream, b'{"rss":%d}' % self._memory.kilobytes())

    def hook(self, stream, head):
        self._hook(stream, head)

    def set_busy(self, is_busy):
        self._is_busy = is_busy

    def end(self, code):
        leave(self._output, exit_code(code))

    def _fail(self, stream, error, wire=None):
        head = b'{"type":"UnhandledInvocationError","rss":%d}' % self._memory.kilobytes()
        (wire or self._wire).send_body(w.ERROR, stream, head, document_of(error))

    def on_terminate(self, _signal, frame):
        """The time is over, or the instance is no longer wanted. Source: docs."""
        if self._is_busy:
            stacks = ['Dumping stack trace after function timeout\n']
            for thread, current in sys._current_frames().items():
                stacks.append('Thread %d:\n' % thread)
                shown = frame if current.f_code is self.on_terminate.__code__ else current
                stacks.extend(traceback.format_stack(shown))
            self._output.flush()
            self._output.write(to_bytes(''.join(stacks)))
        leave(self._output, TERMINATED)
