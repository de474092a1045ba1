# Which requests that were sent ahead are not to be begun. Used by serve.py; see "Sent ahead" in ../../PROTOCOL.md.
import os
import struct

# Requests that are kept while one runs; 0 where the file cannot be read without moving in it (Python 2).
LIMIT = 16 if hasattr(os, 'pread') else 0
_u32 = struct.Struct('>I')


class Recalls(object):
    def __init__(self, socket_path):
        self._path = os.path.join(os.path.dirname(socket_path), 'r')
        self._fd = -1
        self._open = os.open
        self._read = getattr(os, 'pread', None)

    def __contains__(self, stream):
        """Also when nobody can tell: it is then begun elsewhere."""
        try:
            if self._fd < 0:
                self._fd = self._open(self._path, os.O_RDONLY)
            return _u32.unpack(self._read(self._fd, 4, 0))[0] >= stream
        except (OSError, struct.error):
            return True
