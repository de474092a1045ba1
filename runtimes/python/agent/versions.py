# What differs between Python 2.7 and 3, in one place. Used by all of agent/.
import json
import os

IS_2 = str is bytes
if IS_2:
    import fcntl  # at once: later it would be looked for beside us
TEXT = type(u'')


def to_bytes(text):
    """Bytes of either kind of text, whatever it holds."""
    if isinstance(text, bytes):
        return text
    return text.encode('utf-8') if IS_2 else text.encode('utf-8', 'backslashreplace')


# Half of what json.loads does beside this is looking for white space, which a head does not have around it.
_read_value = json.JSONDecoder().scan_once


def read_json(data):
    """A frame's head. On Python 2 with str, not unicode, as the cloud's own contexts have."""
    value = _read_value(data.decode('utf-8'), 0)[0]
    return _native(value) if IS_2 else value


def _native(value):
    if isinstance(value, TEXT):
        return value.encode('utf-8')
    if isinstance(value, list):
        return [_native(each) for each in value]
    if isinstance(value, dict):
        return dict((_native(name), _native(member)) for name, member in value.items())
    return value


def set_blocking(fd):
    if hasattr(os, 'set_blocking'):
        os.set_blocking(fd, True)
        return
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)


def close_on_exec(fd):
    """Python 3 does it by itself."""
    if IS_2:
        fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.fcntl(fd, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)
