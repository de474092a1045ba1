# Attacks on the platform's sockets: those of other instances, of the launcher, and the own one.
import json
import os
import re
import socket
import struct

import kit


def connected(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(2)
    connection.connect(path)
    return connection


def impersonate_another(given):
    connected(given['runDir'] + '/i/' + given['victimId'] + '/f.sock').close()
    return True


def plant_beside_socket(given):
    path = given['runDir'] + '/i/' + given['victimId'] + '/l.sock.x'
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)
    return True


def plant_beside_own_socket(given):
    """Even its own directory: what lies there is the host's to remove."""
    path = os.path.dirname(own_socket(given)) + '/x'
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    os.unlink(path)
    return True


def order_launcher(given):
    connected(given['runDir'] + '/launcher.sock').close()
    return True


def reach_abstract_socket(given):
    connected('\0' + given['abstract']).close()
    return True


def own_socket(given):
    if 'bare' in given:
        return given['bare']
    shown = '/run/yunmen/f.sock'
    return shown if os.path.exists(shown) else '%s/i/%s/f.sock' % (given['runDir'], os.environ['FC_INSTANCE_ID'])


def frame(kind, stream, head, payload=b''):
    text = json.dumps(head).encode()
    return struct.pack('>IBBHI', 8 + len(text) + len(payload), kind, 0, len(text), stream) + text + payload


def is_taken(path, hello):
    """Whether a new connection that says this is kept: a ping to and fro, or at least no end within half a second."""
    connection = connected(path)
    try:
        connection.settimeout(0.5)
        connection.sendall(hello)
        return connection.recv(1) != b''
    except socket.timeout:
        return True
    finally:
        connection.close()


def connect_twice(given):
    return is_taken(own_socket(given), b'')


def own_secrets():
    """All that looks like a token in the own memory, by reading every writable mapping."""
    found = set()
    with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', buffering=0) as memory:
        for line in maps.read().splitlines():
            range_, rights = line.split()[:2]
            start, end = [int(each, 16) for each in range_.split('-')]
            if not rights.startswith('rw') or end - start > 64 << 20 or '[v' in line:
                continue
            try:
                memory.seek(start)
                found.update(re.findall(b'(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])', memory.read(end - start)))
            except (OSError, ValueError):
                continue  # not there any more, or not to be read
    return [each.decode() for each in sorted(found)][:50]


def hellos():
    """With all that may be a token."""
    hello = {'protocol': 1, 'language': 'python', 'version': '3.11.2', 'pid': 1}
    return [frame(1, 0, dict(hello, token=token)) for token in own_secrets() + ['0' * 64]]


def reuse_token(given):
    return any(is_taken(own_socket(given), hello) for hello in hellos())


def speak_as_another(given):
    path = given.get('bare') or given['runDir'] + '/i/' + given['victimId'] + '/f.sock'
    return any(is_taken(path, hello) for hello in hellos())


def take_launcher_over(given):
    """By what a data process says first, with all that may be a token."""
    path = given.get('bare') or given['runDir'] + '/launcher.sock'
    texts = [token.encode() + b'\0' for token in own_secrets() + ['0' * 64]]
    return any(is_taken(path, struct.pack('>IBIH', 7 + len(text), 1, 1, len(text)) + text) for text in texts)


def own_connection(given):
    """The bootstrap's connection to the host, found among the descriptors."""
    if 'bare' in given:
        return connected(given['bare'])
    for name in os.listdir('/proc/self/fd'):
        try:
            connection = socket.socket(fileno=os.dup(int(name)))
            if connection.family == socket.AF_UNIX and str(connection.getpeername()).endswith('/f.sock'):
                return connection
        except OSError:
            continue
    raise RuntimeError('no connection to the host among the descriptors')


def flood(given, bytes_, times):
    connection = own_connection(given)
    connection.settimeout(5)
    sent = 0
    for _ in range(times):
        connection.sendall(bytes_)
        sent += len(bytes_)
    return sent


def flood_frames(given):
    """64 MB of chunks for a stream that was never opened."""
    return flood(given, frame(5, 4000, {}, b'x' * 60000), 1100)


def send_oversized_frame(given):
    """Says that 4 GB follow, and sends 64 MB of them."""
    return flood(given, struct.pack('>I', 0xFFFFFFF0) + b'\6\0\0\0' + b'x' * 1000000, 64)
