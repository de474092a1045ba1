# Frames over one blocking socket: the instance's end. Used by serve.py only.
import struct

HELLO, LOAD, INVOKE, RESPONSE_HEAD, CHUNK, END, ERROR, CANCEL, CREDIT, PING, HOOK, RECALLED = range(1, 13)
FIN = 1

FRAME_LIMIT = 65536
HEADER = struct.Struct('>IBBHI')
HEADER_SIZE = HEADER.size
PART_LIMIT = FRAME_LIMIT - HEADER_SIZE
WINDOW = 262144
SMALL_READ = 4096
# Frames of other streams that may arrive while a large result waits for credit: more than are sent ahead.
PENDING_LIMIT = 32

_u32 = struct.Struct('>I')
_pack = HEADER.pack
_unpack_from = HEADER.unpack_from


class ProtocolError(Exception):
    """The host sent what the protocol does not allow."""


class HostGone(Exception):
    """The host closed the connection."""


class Wire(object):
    __slots__ = ('_recv', '_send', '_bytes', '_pending')

    def __init__(self, sock):
        self._recv = sock.recv
        self._send = sock.sendall
        self._bytes = b''
        self._pending = []

    def next(self):
        """The next frame: (type, flags, stream, head bytes, payload bytes). One recv for a small frame."""
        if self._pending:
            return self._pending.pop(0)
        return self._read()

    def _read(self):
        got = self._bytes
        while True:
            size = len(got)
            if size >= HEADER_SIZE:
                length, kind, flags, head_size, stream = _unpack_from(got)
                total = length + 4
                if total > FRAME_LIMIT or HEADER_SIZE + head_size > total:
                    raise ProtocolError('frame of %d bytes with a head of %d' % (total, head_size))
                if size >= total:
                    self._bytes = got[total:] if size > total else b''
                    split = HEADER_SIZE + head_size
                    return kind, flags, stream, got[HEADER_SIZE:split], got[split:total]
            # Room for one whole frame where one has begun: what is asked for is allocated, whatever comes.
            part = self._recv(FRAME_LIMIT if got else SMALL_READ)
            if not part:
                raise HostGone()
            got = got + part if got else part

    def send(self, kind, stream, head, payload=b'', flags=0):
        """One frame, one write. It must fit."""
        self._send(_pack(8 + len(head) + len(payload), kind, flags, len(head), stream) + head + payload)

    def read_body(self, stream, first):
        """The rest of a body that begins with `first`: reads chunks until FIN, granting credit on the way."""
        parts = [first]
        consumed = len(first)
        while True:
            kind, flags, other, _, payload = self._read()
            if kind == PING:
                self.send(PING, 0, b'', payload, FIN)
                continue
            if kind == CANCEL or kind == CREDIT:
                continue
            if kind != CHUNK or other != stream:
                raise ProtocolError('frame of type %d inside the body of stream %d' % (kind, stream))
            parts.append(payload)
            if flags & FIN:
                return b''.join(parts)
            consumed += len(payload)
            if consumed >= WINDOW // 2:
                self.send(CREDIT, stream, b'', _u32.pack(consumed))
                consumed = 0

    def send_body(self, kind, stream, head, body, http=None):
        """Closes `stream` with `body`: one frame if it fits, else response-head, chunks and the last frame.

        `http` is the head of the answer to an HTTP call, as JSON: it stands in the first frame.
        """
        size = len(body)
        whole = head if http is None else head[:-1] + b',"http":' + http + b'}'
        if HEADER_SIZE + len(whole) + size <= FRAME_LIMIT:
            self._send(_pack(8 + len(whole) + size, kind, 0, len(whole), stream) + whole + body)
            return
        self.send(RESPONSE_HEAD, stream, b'' if http is None else b'{"http":' + http + b'}')
        view = memoryview(body)
        last_limit = PART_LIMIT - len(head)
        sent = 0
        window = WINDOW
        while size - sent > min(last_limit, window):
            # The last frame has a head, so a part that only a chunk could hold is cut once more.
            part = min(PART_LIMIT, window, size - sent)
            if part == 0:
                window += self._await_credit(stream)
                continue
            self.send(CHUNK, stream, b'', view[sent:sent + part].tobytes())
            sent += part
            window -= part
        self.send(kind, stream, head, view[sent:].tobytes())

    def _await_credit(self, stream):
        while True:
            frame = self._read()
            kind, _, other, _, payload = frame
            if kind == CREDIT and len(payload) == 4:
                if other == stream:
                    return _u32.unpack(payload)[0]
            elif kind == PING:
                self.send(PING, 0, b'', payload, FIN)
            elif kind == CANCEL:
                pass  # one request at a time: the host ends the instance if it will not wait
            elif len(self._pending) < PENDING_LIMIT:
                self._pending.append(frame)
            else:
                raise ProtocolError('too many frames while a result waits for credit')
