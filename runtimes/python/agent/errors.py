# Error documents: {errorMessage, errorType, stackTrace} with the stack as a list of lists of strings.
# Source: docs.
import json
import sys
import traceback

_HOME = __file__[:max(__file__.rfind('/'), __file__.rfind('\\')) + 1]


class LoadError(Exception):
    """A handler that cannot be had: its documented type and message, and the exception behind it."""

    def __init__(self, error_type, message, cause=None):
        Exception.__init__(self, message)
        self.error_type = error_type
        self.cause = cause
        self.trace = None if cause is None else trace_of(cause)


def document_of(error):
    """The document of what a handler raised, as bytes."""
    if isinstance(error, LoadError):
        return _document(error.error_type, str(error), stack_of(error.cause, error.trace))
    return _document(type(error).__name__, message_of(error), stack_of(error))


def text_of(error, trace=None):
    """The traceback as Python prints it, without our own frames; for the log."""
    if isinstance(error, LoadError):
        last = '%s: %s\n' % (error.error_type, error)
        return last if error.cause is None else text_of(error.cause, error.trace) + last
    try:
        return ''.join(traceback.format_exception(type(error), error, _user_part(trace or trace_of(error))))
    except Exception:  # a hostile __str__: the type still helps
        return type(error).__name__ + '\n'


def message_of(error):
    try:
        return str(error)
    except Exception:
        return '<unprintable %s object>' % type(error).__name__


def stack_of(error, trace=None):
    if error is None:
        return []
    stack = [
        ['File "%s"' % file, 'line %s' % line, 'in %s' % name, text or '']
        for file, line, name, text in (tuple(entry)[:4] for entry in traceback.extract_tb(_user_part(trace or trace_of(error))))
        if not file.startswith('<frozen importlib')
    ]
    if isinstance(error, SyntaxError) and error.filename:
        # The place of the fault itself, which no frame shows. Form: assumed.
        text = (error.text or '').strip()
        stack.append(['File "%s"' % error.filename, 'line %s' % error.lineno, 'in <module>', text])
    return stack


def trace_of(error):
    """Its traceback. Python 2 knows it only while the exception is handled."""
    return error.__traceback__ if hasattr(error, '__traceback__') else sys.exc_info()[2]


def _user_part(trace):
    """The traceback from the first frame that is neither ours nor the import machinery's."""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        is_ours = file.startswith(_HOME)
        if not is_ours and not file.startswith('<frozen importlib') and '/importlib/' not in file:
            return trace
        trace = trace.tb_next
    return None


def _document(error_type, message, stack):
    return json.dumps({'errorMessage': message, 'errorType': error_type, 'stackTrace': stack}).encode('utf-8')
