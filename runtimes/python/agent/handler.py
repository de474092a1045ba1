# Finds a handler by its name, and turns what it returned into bytes.
# Source: docs.
import importlib
import json
import os
import sys

from .errors import LoadError
from .versions import TEXT

# All other variables beginning with FC_ or _FC_ are removed before user code runs.
# FC_FUNCTION_VERSION: assumed (it is documented as visible on newer images).
_VISIBLE = frozenset([
    'FC_FUNC_CODE_PATH', 'FC_FUNCTION_MEMORY_SIZE', 'FC_RUNTIME_VERSION', 'FC_ACCOUNT_ID', 'FC_FUNCTION_HANDLER',
    'FC_FUNCTION_NAME', 'FC_SERVICE_NAME', 'FC_VER_ID', 'FC_QUALIFIER', 'FC_REGION', 'FC_INSTANCE_ID',
    'FC_FUNCTION_VERSION',
])


def clean_environment():
    for name in list(os.environ):
        if name.startswith(('FC_', '_FC_')) and name not in _VISIBLE:
            del os.environ[name]


def enter_code(code_path):
    """Code directory first, then the layers' places, then the interpreter's own."""
    os.chdir(code_path)
    version = 'python%d.%d' % sys.version_info[:2]
    first = [code_path, '/opt/python/lib/%s/site-packages' % version, '/opt/python']
    sys.path[:] = first + [entry for entry in sys.path if entry not in first]
    if hasattr(importlib, 'invalidate_caches'):
        importlib.invalidate_caches()


def find_handler(name):
    """The callable that `name` (`[dir/]module[.sub].function`) means. Raises LoadError; SystemExit passes."""
    module_name, dot, function_name = name.rpartition('.')
    if not dot or not module_name or not function_name:
        raise LoadError('InvalidHandleName', "Invalid handler '%s'" % name)
    try:
        module = importlib.import_module(module_name.replace('/', '.').lstrip('.'))
    except ImportError as error:
        raise LoadError('ImportModuleError', "Unable to import module '%s'" % module_name, error)
    except SyntaxError as error:
        raise LoadError('UserCodeSyntaxError', "Syntax error in module '%s'" % module_name, error)
    except Exception as error:
        raise LoadError('UserCodeError', "Module initialization error: '%s'" % (error,), error)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise LoadError(
            'HandlerNotFound', "Handler '%s' is missing on module '%s'" % (function_name, module_name))
    return function


def encode_result(result):
    """str and bytes as they are; all else JSON with indent 4 and sorted keys. Raises TypeError."""
    if isinstance(result, bytes):
        return result
    if isinstance(result, TEXT):
        return result.encode('utf-8')
    return json.dumps(result, indent=4, sort_keys=True, default=_as_number).encode('utf-8')


def _as_number(value):
    decimal = sys.modules.get('decimal')
    if decimal is not None and isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() and value.as_tuple().exponent >= 0 else float(value)
    raise TypeError('Object of type %s is not JSON serializable' % type(value).__name__)
