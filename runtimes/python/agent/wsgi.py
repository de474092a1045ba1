# HTTP handlers: a WSGI application is called with what an HTTP call holds. Imported at the first such call.
# Source: docs.
import io
import json
import os
import sys

# Headers beyond it would not fit a frame (PROTOCOL.md 6); a body is collected up to this size.
HEADER_LIMIT = 16384
BODY_LIMIT = 16 * 1024 * 1024


class BadResponse(Exception):
    """An answer that cannot be sent."""


def call(application, given, body, context):
    """Runs the application. Gives (the answer's head as JSON bytes, its body)."""
    answer = _Answer()
    result = application(_environ(given, body, context), answer.start)
    try:
        if isinstance(result, (bytes, _text)):
            answer.write(result)
        else:
            for part in result:
                answer.write(part)
    finally:
        close = getattr(result, 'close', None)
        if close is not None:
            close()
    return answer.head(), b''.join(answer.parts)


_text = str if str is not bytes else type(u'')


def _environ(given, body, context):
    environ = dict(os.environ)
    uri = given['requestURI']
    environ.update({
        'REQUEST_METHOD': _native(given['method']),
        'SCRIPT_NAME': '',
        'PATH_INFO': _path(given['path']),
        'QUERY_STRING': _native(uri.partition('?')[2]),
        'CONTENT_TYPE': 'application/octet-stream',
        'CONTENT_LENGTH': str(len(body)),
        'REMOTE_ADDR': _native(given['clientIP']),
        'SERVER_NAME': 'FCRUNTIME',
        'SERVER_PORT': '9000',
        'SERVER_PROTOCOL': 'HTTP/1.1',
        'SERVER_SOFTWARE': 'FCRUNTIME/1.0',
        'HTTP_X_FC_FUNCTION_HANDLER': _native(context.function.handler),
        'wsgi.version': (1, 0),
        'wsgi.url_scheme': 'http',
        'wsgi.input': io.BytesIO(body),
        'wsgi.errors': sys.stderr,
        'wsgi.multithread': False,
        'wsgi.multiprocess': False,
        'wsgi.run_once': False,
        'fc.context': context,
        'fc.request_uri': _native(uri),
    })
    for name, values in given['headersMap'].items():
        key = _native(name).upper().replace('-', '_')
        if key in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
            environ[key] = _native(values[0])
        else:
            environ['HTTP_' + key] = _native(','.join(values))
    environ['CONTENT_LENGTH'] = str(len(body))
    return environ


def _native(text):
    """As this Python's str: on 3 as it is (a character a byte), on 2 the bytes."""
    if isinstance(text, str):
        return text
    try:
        return text.encode('latin-1')
    except UnicodeEncodeError:
        return text.encode('utf-8')


def _path(path):
    """PEP 3333: bytes, on Python 3 told as characters up to U+00FF."""
    encoded = path.encode('utf-8')
    return encoded if str is bytes else encoded.decode('latin-1')


class _Answer(object):
    def __init__(self):
        self.parts = []
        self._size = 0
        self._status = None
        self._headers = []

    def start(self, status, headers, exc_info=None):
        if self._status is not None and exc_info is None:
            raise AssertionError('start_response was called already')
        self._status = int(status.split(' ', 1)[0])
        self._headers = list(headers)
        return self.write

    def write(self, part):
        if not isinstance(part, bytes):
            part = part.encode('utf-8')
        self._size += len(part)
        if self._size > BODY_LIMIT:
            raise BadResponse('the response body exceeds %d bytes' % BODY_LIMIT)
        self.parts.append(part)

    def head(self):
        if self._status is None:
            raise BadResponse('start_response was not called')
        lists = {}
        names = {}
        size = 0
        for name, value in self._headers:
            value = value if isinstance(value, str) else str(value)
            size += len(name) + len(value)
            lists.setdefault(names.setdefault(name.lower(), name), []).append(value)
        if size > HEADER_LIMIT:
            raise BadResponse('response headers of %d bytes exceed 8192' % size)
        encoded = json.dumps({'status': self._status, 'headersMap': lists}, **_LATIN)
        return encoded.encode('ascii')


# Python 2's header values are bytes.
_LATIN = {'encoding': 'latin-1'} if str is bytes else {}
