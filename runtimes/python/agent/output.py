# What functions print and log: sys.stdout, sys.stderr, the root logger, and the markers around each request.
# fd 1 and fd 2 are one stream to the host. A completed line is written at once, so that a crash loses none.
import errno
import io
import logging
import os
import sys
import threading
import time

from .versions import IS_2, set_blocking, to_bytes

# Bytes of an unfinished line that are held back.
HOLD_LIMIT = 8192


class Mark(object):
    """Where the log stands around one request."""

    __slots__ = ('kind', 'request_id', 'is_tail', 'is_start_due', 'has_start')

    def __init__(self, kind, request_id, is_tail):
        self.kind = kind
        self.request_id = request_id
        self.is_tail = is_tail
        self.is_start_due = True
        self.has_start = False


class _Holder(object):
    """The mark of the last request that began; one place for all threads."""

    mark = None


class _ThreadHolder(threading.local):
    """The mark of the request that runs on this thread."""

    mark = None


class Output(object):
    """The log stream, and where it is between the markers of requests."""

    def __init__(self):
        self._lock = threading.RLock()
        self._holder = _Holder()
        self._ends_line = True
        self._streams = []

    @property
    def request_id(self):
        mark = self._holder.mark
        return '' if mark is None else mark.request_id

    def separate(self):
        """From now on each request has a thread of its own."""
        self._holder = _ThreadHolder()

    def install(self):
        """Puts the streams and the root logger in place."""
        sys.stdout = sys.__stdout__ = self._text_stream(1)
        sys.stderr = sys.__stderr__ = self._text_stream(2)
        handler = _LogHandler(self)
        handler.setFormatter(_LineFormatter(self))
        root = logging.getLogger()
        root.handlers[:] = [handler]
        root.setLevel(logging.INFO)
        if hasattr(os, 'register_at_fork'):
            os.register_at_fork(after_in_child=self._after_fork)

    def _text_stream(self, fd):
        lines = _LineStream(self, fd)
        self._streams.append(lines)
        if IS_2:
            return _PlainStream(lines)
        return io.TextIOWrapper(lines, encoding='utf-8', errors='backslashreplace', newline='\n', write_through=True)

    def _after_fork(self):
        self._lock = threading.RLock()
        for stream in self._streams:
            stream.held.pending = b''

    def begin(self, kind, request_id, is_tail):
        """A request begins, on this thread: its Start marker goes out with the first output, or before anything else when a
        tail is wanted: children write without being seen."""
        mark = self._holder.mark = Mark(kind, request_id, is_tail)
        if is_tail:
            self.write(b'')
        return mark

    def finish(self, mark, error_suffix='', error_text=''):
        """All is flushed; the markers are completed when there was output, an error, or a tail is wanted."""
        for stream in self._streams:
            if stream.held.pending:
                stream.flush()
        if mark.has_start or mark.is_tail or error_suffix:
            if error_text and not error_text.endswith('\n'):
                error_text += '\n'
            line = 'FC %s End RequestId: %s%s\n' % (mark.kind, mark.request_id, error_suffix)
            with self._lock:
                newline = b'' if self._ends_line else b'\n'
                self.write(newline + to_bytes(error_text) + to_bytes(line))
        mark.is_start_due = False

    def write(self, data, fd=1):
        mark = self._holder.mark
        with self._lock:
            if mark is not None and mark.is_start_due:
                mark.is_start_due = False
                mark.has_start = True
                newline = '' if self._ends_line else '\n'
                data = ('%sFC %s Start RequestId: %s\n' % (newline, mark.kind, mark.request_id)).encode() + data
            self._ends_line = data.endswith(b'\n')
            while data:
                try:
                    done = os.write(fd, data)
                except OSError as error:
                    if error.errno != errno.EAGAIN:
                        raise
                    set_blocking(fd)  # a child process that shares the stream has changed it
                    continue
                if done == len(data):
                    return
                data = data[done:]

    def flush(self):
        for stream in self._streams:
            stream.flush()

    def lock(self):
        return self._lock


class _Held(threading.local):
    pending = b''


class _LineStream(io.BufferedIOBase):
    """What is under a text stream (`sys.stdout.buffer`): passes on all completed lines of each write."""

    def __init__(self, output, fd):
        self.held = _Held()
        self._output = output
        self._fd = fd

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def isatty(self):
        return False

    def write(self, data):
        data = bytes(data)
        with self._output.lock():
            held = self.held.pending + data
            end = len(held) if len(held) > HOLD_LIMIT else held.rfind(b'\n') + 1
            self.held.pending = held[end:]
            if end:
                self._output.write(held[:end], self._fd)
        return len(data)

    def flush(self):
        with self._output.lock():
            held, self.held.pending = self.held.pending, b''
            if held:
                self._output.write(held, self._fd)

    def close(self):
        self.flush()


class _PlainStream(object):
    """sys.stdout of Python 2: takes bytes and text."""

    encoding = 'UTF-8'
    errors = None
    softspace = 0

    def __init__(self, lines):
        self._lines = lines
        self.flush = lines.flush
        self.fileno = lines.fileno
        self.isatty = lines.isatty

    def write(self, text):
        self._lines.write(to_bytes(text))

    def writelines(self, texts):
        for text in texts:
            self.write(text)


class _LogHandler(logging.Handler):
    def __init__(self, output):
        logging.Handler.__init__(self)
        self._output = output

    def emit(self, record):
        try:
            self._output.write(to_bytes(self.format(record)) + b'\n')
        except Exception:
            self.handleError(record)


class _LineFormatter(logging.Formatter):
    """`2026-11-22T10:04:19.024Z {requestId} [INFO] message`. Source: docs."""

    def __init__(self, output):
        logging.Formatter.__init__(self)
        self._output = output

    def format(self, record):
        text = logging.Formatter.format(self, record)
        when = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))
        request_id = self._output.request_id
        return '%s.%03dZ %s%s[%s] %s' % (
            when, record.msecs, request_id, ' ' if request_id else '', record.levelname, text)
