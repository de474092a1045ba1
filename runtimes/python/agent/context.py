# The context object of a request, in the shape that the runtime id (`dialect`) promises.
# Source: docs.
import logging


class Credentials(object):
    """Both spellings: the snake case of the help pages and the camel case of samples."""

    def __init__(self, given):
        self.access_key_id = self.accessKeyId = given.get('accessKeyId', '')
        self.access_key_secret = self.accessKeySecret = given.get('accessKeySecret', '')
        self.security_token = self.securityToken = given.get('securityToken', '')


class Function(object):
    def __init__(self, given):
        self.name = given.get('name', '')
        self.handler = given.get('handler', '')
        self.memory = given.get('memory', 0)
        self.timeout = given.get('timeout', 0)
        self.initializer = given.get('initializer', '')
        self.initialization_timeout = given.get('initializationTimeout', 0)


class FlatFunction(object):
    def __init__(self, given, service):
        self.name = given.get('name', '')
        self.handler = given.get('handler', '')
        self.memory = given.get('memory', 0)
        self.timeout = given.get('timeout', 0)
        self.version_id = service.get('versionId', '')
        self.qualifier = service.get('qualifier', '')


class Service(object):
    def __init__(self, given):
        self.name = given.get('name', '')
        self.log_project = given.get('logProject', '')
        self.log_store = given.get('logStore', '')
        self.qualifier = given.get('qualifier', '')
        self.version_id = given.get('versionId', '')


class Tracing(object):
    def __init__(self, jaeger_endpoint, span=None):
        self.span_context = None if span is None else span.get('context')
        self.span_baggages = {} if span is None else span.get('baggages') or {}
        self.jaeger_endpoint = jaeger_endpoint


class Context(object):
    """python2.7 to python3.10."""

    def __init__(self, made, request_id, retry_count, span):
        self.request_id = self.requestId = request_id
        self.credentials = made.credentials
        self.function = made.function
        self.service = made.service
        self.region = made.region
        self.account_id = self.accountId = made.account_id
        self.retry_count = retry_count
        # Not null only with several requests at a time.
        self.logger = made.shown_logger
        self.tracing = Tracing(made.jaeger_endpoint, span)


class FlatContext(object):
    """python3.12 and later: no credentials, service or tracing."""

    def __init__(self, made, request_id, _retry_count, _span):
        self.request_id = request_id
        self.account_id = made.account_id
        self.region = made.region
        self.logger = made.logger
        self.log_project = made.service.log_project
        self.log_store = made.service.log_store
        self.function = made.function


class ContextMaker(object):
    """Holds what is the same for all requests of an instance; make() gives the context of one."""

    def __init__(self, dialect, given):
        service = given.get('service') or {}
        function = given.get('function') or {}
        self.service = Service(service)
        self.region = given.get('region', '')
        self.account_id = given.get('accountId', '')
        self.credentials = Credentials(given.get('credentials') or {})
        self.jaeger_endpoint = given.get('jaegerEndpoint')
        self.logger = logging.getLogger()
        self.shown_logger = None
        if is_flat(dialect):
            self.function = FlatFunction(function, service)
            self._type = FlatContext
        else:
            self.function = Function(function)
            self._type = Context

    def show_logger(self):
        self.shown_logger = self.logger

    def make(self, request_id, retry_count=0, credentials=None, span=None):
        if credentials is not None:
            self.credentials = Credentials(credentials)
        return self._type(self, request_id, retry_count, span)


def is_flat(dialect):
    """True from python3.12 on. `python3` is 3.6."""
    if not dialect.startswith('python3.'):
        return False
    minor = dialect[len('python3.'):]
    return minor.isdigit() and int(minor) >= 12
