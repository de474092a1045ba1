// A firewall that drops what is forwarded, for tests in a network namespace of their own. Needs root and python3.

/** Python: as Docker leaves a host, a chain at the forward hook whose policy is to drop (nf_tables, spoken to directly). */
export const dropForwarded = `
import socket, struct
def attribute(kind, value):
    return struct.pack('=HH', len(value) + 4, kind) + value + bytes(-len(value) % 4)
def message(kind, flags, body, family=2, resource=0):
    body = struct.pack('=BBH', family, 0, socket.htons(resource)) + body
    return struct.pack('=IHHII', len(body) + 16, kind, flags | 1, 1, 0) + body
number = lambda kind, value: attribute(kind, struct.pack('!i', value))
text = lambda kind, value: attribute(kind, value.encode() + b'\\0')
request, acknowledge, create = 10 << 8, 4, 0x400
hook = attribute(4 | 0x8000, number(1, 2) + number(2, 0))
chain = text(1, 'firewall') + text(3, 'FORWARD') + hook + number(5, 0) + text(7, 'filter')
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
kernel.settimeout(5)
kernel.sendto(message(16, 0, b'', 0, 10) + message(request, create, text(1, 'firewall'))
    + message(request | 3, create | acknowledge, chain) + message(17, 0, b'', 0, 10), (0, 0))
assert struct.unpack('=i', kernel.recv(4096)[16:20])[0] == 0
`;
