# Peak memory of this process, cheaply enough to be told with every answer.
import os
import time

# How old a figure may get, and how long a request must be to have it read anew: a shorter one cannot touch much.
STALE_SECONDS = 0.1
LONG_SECONDS = 0.001

_pread = getattr(os, 'pread', None)
_clock = time.time if not hasattr(time, 'monotonic') else time.monotonic


class PeakMemory(object):
    """Reads VmHWM. (The peak of getrusage is no use: exec keeps the peak of the process that started us.)"""

    def __init__(self):
        self._began = self._read_at = _clock()
        try:
            self._fd = os.open('/proc/self/status', os.O_RDONLY | getattr(os, 'O_CLOEXEC', 0))
        except OSError:
            self._fd = -1
        self._kilobytes = self._read()

    def close(self):
        if self._fd >= 0:
            os.close(self._fd)

    def begin(self):
        self._began = _clock()

    def kilobytes(self):
        now = _clock()
        if now - self._began > LONG_SECONDS or now - self._read_at > STALE_SECONDS:
            self._kilobytes = self._read()
            self._read_at = now
        return self._kilobytes

    def _read(self):
        if self._fd < 0:
            import resource
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if _pread is not None:
            text = _pread(self._fd, 4096, 0)
        else:
            os.lseek(self._fd, 0, os.SEEK_SET)
            text = os.read(self._fd, 4096)
        at = text.find(b'VmHWM:')
        return int(text[at + 6:text.index(b'kB', at)]) if at >= 0 else 0
