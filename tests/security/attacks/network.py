# Attacks over the network: on this machine's services, on other instances, on metadata and private addresses, and with
# another function's credentials at the doorway. `given` tells addresses; see networks.security.test.ts.
import base64
import email.utils
import hashlib
import hmac
import os
import socket
import struct
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def fetched(url):
    """What answers there; whoever answers at all has been reached."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.read(200).decode('utf-8', 'replace')
    except urllib.error.HTTPError as error:
        return 'status %d' % error.code


def reach_control(given):
    return fetched(given['api'] + '/healthz')


def reach_metrics(given):
    return fetched(given['api'] + '/metrics')


def reach_console(given):
    return fetched(given['api'] + '/console/')


def reach_gateway(given):
    return fetched(given['gateway'] + '/')


def reach_http_listener(given):
    return fetched(given['http'] + '/')


def reach_loopback(given):
    return fetched('http://127.0.0.1:%d/' % given['hostPort'])


def reach_host_by_address(given):
    return fetched('http://%s:%d/' % (given['hostAddress'], given['hostPort']))


def reach_host_by_link(given):
    """Whatever its way out is called: the first and the last addresses of the links that this server makes."""
    return fetched('http://%s:%d/' % (given['linkAddress'], given['hostPort']))


def reach_another_instance(given):
    with socket.create_connection((given['neighbour'], given['neighbourPort']), 3):
        return True


def reach_metadata(given):
    return fetched('http://100.100.100.200/latest/meta-data/')


def reach_link_local_metadata(given):
    return fetched('http://169.254.169.254/latest/meta-data/')


def reach_public_metadata(given):
    """Azure's, which is no link-local address."""
    return fetched('http://168.63.129.16/?comp=versions')


def reach_private_range(given):
    return fetched('http://%s/' % given['privateAddress'])


def spelled(address):
    """The same IPv4 address in other words, some of which a filter of names or of one family could miss."""
    value = int.from_bytes(socket.inet_aton(address), 'big')
    halves = '%x:%x' % (value >> 16, value & 0xffff)
    return [str(value), hex(value), '0%o' % value, '::ffff:' + halves, '::' + halves, '64:ff9b::' + halves, '2002:%s::' % halves]


def sent(kind, host, port):
    """Over TCP and UDP: whoever answers has been reached."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind) as to:
        to.settimeout(2)
        to.connect(address)
        to.send(b'GET / HTTP/1.0\r\n\r\n')
        return '%s answers %r' % (host, to.recv(20))


def any_of(hosts, port):
    """All at once; what stopped the first one, when none is reached."""
    with ThreadPoolExecutor(64) as pool:
        calls = [pool.submit(sent, kind, host, port) for host in hosts for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
    reached = [call.result() for call in calls if call.exception() is None]
    if not reached:
        raise calls[0].exception()
    return ', '.join(reached)


def reach_loopback_by_spelling(given):
    return any_of(['127.1', '0177.0.0.1', '0', '0.0.0.0', '::', '::1', 'localhost'] + spelled('127.0.0.1'), given['hostPort'])


def reach_host_by_spelling(given):
    return any_of(spelled(given['hostAddress']) + spelled(given['linkAddress']), given['hostPort'])


def reach_metadata_by_spelling(given):
    return any_of([each for address in ('100.100.100.200', '169.254.169.254', '168.63.129.16') for each in spelled(address)], 80)


def resolve_through_host(given):
    """Straight to the host's resolver, past the doorway."""
    asked = b'\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
        to.settimeout(2)
        to.sendto(asked, (given['hostAddress'], given['hostPort']))
        return to.recv(100)


def spoof_source(given):
    """As if it were the neighbour: an address that is not its own may be named by IP_FREEBIND without any right."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
        to.setsockopt(socket.IPPROTO_IP, 15, 1)
        to.bind((given['hostAddress'], 0))
        to.connect((given['outsideAddress'], 9))
        return to.send(b'x')


def asked_kernel(protocol, requests):
    """The first error that the kernel answers with, as OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as kernel:
        kernel.settimeout(3)
        kernel.sendto(requests, (0, 0))
        code = struct.unpack('=i', kernel.recv(4096)[16:20])[0]
    if code != 0:
        raise OSError(-code, os.strerror(-code))
    return True


def change_addresses(given):
    """An address on loopback, and off again: who may do that may change routes and links, too."""
    def request(kind, flags):
        address = struct.pack('=HH4s', 8, 2, socket.inet_aton('198.18.77.77'))
        body = struct.pack('=BBBBI', socket.AF_INET, 32, 0, 0, socket.if_nametoindex('lo')) + address
        return struct.pack('=IHHII', 16 + len(body), kind, flags | 5, 1, 0) + body
    return asked_kernel(0, request(20, 0x400)) and asked_kernel(0, request(21, 0))


def change_filters(given):
    """A table of filters, made and removed in one go: who may do that may remove the others."""
    def request(kind, flags, family, resource, body=b''):
        body = struct.pack('=BBH', family, 0, socket.htons(resource)) + body
        return struct.pack('=IHHII', 16 + len(body), kind, flags | 1, 1, 0) + body
    name = struct.pack('=HH8s', 12, 1, b'attack\0\0')
    table = 10 << 8
    return asked_kernel(12, request(16, 0, 0, 10) + request(table, 0x400, 2, 0, name)
                        + request(table | 2, 4, 2, 0, name) + request(17, 0, 0, 10))


def use_credentials_of_another(given):
    """Where the APIs are reached: at their own address, or at the doorway."""
    key, secret, token = given['stolen']
    path = '/2023-03-30/functions/victim/invocations'
    date = email.utils.formatdate(usegmt=True)
    text = '\n'.join(['POST', '', 'application/json', date, 'x-fc-security-token:' + token, path])
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    headers = {'Date': date, 'Content-Type': 'application/json', 'x-fc-security-token': token,
               'Authorization': 'FC %s:%s' % (key, base64.b64encode(digest).decode())}
    refusal = OSError('nothing to try')
    for place in given['places']:
        try:
            call = urllib.request.Request(place + path, b'{}', headers, method='POST')
            with urllib.request.urlopen(call, timeout=3) as answer:
                return answer.read().decode()
        except OSError as error:
            refusal = error
    raise refusal
