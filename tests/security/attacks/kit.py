# What the attacks share. The package's handler runs one of them by name and tells how it went; the attacks are in files.py,
# processes.py, kernel.py, endpoints.py and resources.py. An attack returns something true when it succeeded; an OSError or
# nothing is a refusal; any other exception is a fault of the attack itself and fails its test.
import ctypes
import importlib
import json
import os
import platform
import signal
import traceback

libc = ctypes.CDLL(None, use_errno=True)
# Where it may write: in tier restricted /tmp is not its own.
temporary = os.environ.get('TMPDIR', '/tmp')
is_arm = platform.machine() == 'aarch64'


def handler(event, context):
    order = json.loads(event)
    attack = getattr(importlib.import_module(order['subject']), order['attack'])
    return json.dumps(tried(attack, order['given']))


def tried(attack, given):
    try:
        gain = attack(given)
        return {'kind': 'succeeded' if gain else 'refused', 'said': str(gain)[:2000]}
    except OSError as error:
        return {'kind': 'refused', 'said': repr(error)[:2000]}
    except BaseException:
        return {'kind': 'broken', 'said': traceback.format_exc()[-2000:]}


def checked(result, what=''):
    """The result of a function of the C library; raises its error."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def syscall(numbers, *arguments):
    """`numbers`: on x86_64, on aarch64."""
    wide = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    libc.syscall.restype = ctypes.c_long
    return checked(libc.syscall(ctypes.c_long(numbers[is_arm]), *wide), 'system call %d' % numbers[is_arm])


def reaches_kernel(numbers, *arguments):
    """Whether the kernel itself looked at a call that cannot do harm: its arguments are wrong. EPERM, ENOSYS: it did not."""
    try:
        return 'answered %d' % syscall(numbers, *arguments)
    except OSError as error:
        if error.errno in (1, 38):
            raise
        return 'the kernel said %s' % error


def in_child(act):
    """Runs `act` in a process of its own, which it may ruin; its result as text."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = tried(lambda _: act(), None)
            os.write(writer, json.dumps(told).encode())
        finally:
            os._exit(0)
    os.close(writer)
    text = b''
    while True:
        part = os.read(reader, 65536)
        if not part:
            break
        text += part
    os.close(reader)
    os.waitpid(pid, 0)
    told = json.loads(text or b'{"kind":"refused","said":"the child ended"}')
    if told['kind'] == 'broken':
        raise RuntimeError(told['said'])
    if told['kind'] == 'refused':
        raise OSError(told['said'])
    return told['said']


def read_text(path, size=100000):
    with open(path, 'rb') as file:
        return file.read(size).decode('utf-8', 'replace')


def first_that_opens(paths, flags):
    """The first of `paths` that can be opened; raises the last error when there is none."""
    error = OSError('nothing to try')
    for path in paths:
        try:
            os.close(os.open(path, flags))
            return path
        except OSError as refusal:
            error = refusal
    raise error


def end_all(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)
