# Attacks over the network: on this machine's services, on other instances, on metadata and private addresses, and with
# another function's credentials at the doorway. `given` tells addresses; see networks.security.test.ts.
import base64
import email.utils
import hashlib
import hmac
import socket
import urllib.error
import urllib.request


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


def reach_private_range(given):
    return fetched('http://%s/' % given['privateAddress'])


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
