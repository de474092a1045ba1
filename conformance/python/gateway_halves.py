"""The API's half of the journey: CloudAPI by each official SDK, and a signed call of what was published. Called by journey.py."""
import base64
import hashlib
import hmac
import http.client
import json
import time
import uuid
from urllib.parse import urlencode, urlsplit

from function_halves import core_call, core_request, tea_call, tea_config


class CurrentSdk:
    """alibabacloud_cloudapi20160714, V3."""

    def __init__(self, server):
        from alibabacloud_cloudapi20160714 import client, models

        self.models = models
        self.sdk = client.Client(tea_config(server))

    def ask(self, action, params):
        method = ''.join(f'_{letter.lower()}' if letter.isupper() else letter for letter in action)[1:]
        request = getattr(self.models, f'{action}Request')().from_map(params)
        return tea_call(getattr(self.sdk, method), request).body.to_map()


class CoreRpc:
    """aliyun-python-sdk-core, RPC signature, everything in the query (GET) or the form (POST)."""

    def __init__(self, server, method):
        self.server, self.method = server, method

    def ask(self, action, params):
        request = core_request(self.server)
        request.set_version('2016-07-14')
        request.set_action_name(action)
        request.set_method(self.method)
        for name, value in params.items():
            if self.method == 'POST':
                request.add_body_params(name, str(value))
            else:
                request.add_query_param(name, value)
        return json.loads(core_call(self.server, request))


def definition(target):
    """What CreateApi needs for POST /testadd: form fields a and b become query parameters of the function."""
    names = ['a', 'b']
    nested = {
        'RequestConfig': {
            'RequestProtocol': 'HTTP',
            'RequestHttpMethod': 'POST',
            'RequestPath': '/testadd',
            'RequestMode': 'MAPPING',
            'BodyFormat': 'FORM',
        },
        'ServiceConfig': {
            'ServiceProtocol': 'FunctionCompute',
            'ServiceTimeout': 10000,
            'FunctionComputeConfig': target,
        },
        'RequestParameters': [
            {'ApiParameterName': name, 'Location': 'BODY', 'ParameterType': 'String', 'Required': 'REQUIRED'}
            for name in names
        ],
        'ServiceParameters': [
            {'ServiceParameterName': name, 'Location': 'QUERY', 'ParameterType': 'STRING'} for name in names
        ],
        'ServiceParametersMap': [{'ServiceParameterName': name, 'RequestParameterName': name} for name in names],
    }
    texts = {name: json.dumps(value) for name, value in nested.items()}
    return {**texts, 'Visibility': 'PRIVATE', 'AuthType': 'APP', 'ResultType': 'JSON', 'ResultSample': '{}'}


def post_form(server, group_id, path, form, key, secret):
    """A signed call as the gateway's documents describe it; (status, body)."""
    headers = {
        'accept': 'application/json',
        'content-type': 'application/x-www-form-urlencoded; charset=UTF-8',
        'date': time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime()),
        'x-ca-key': key,
        'x-ca-nonce': str(uuid.uuid4()),
        'x-ca-signature-method': 'HmacSHA256',
        'x-ca-stage': 'RELEASE',
        'x-ca-timestamp': str(int(time.time() * 1000)),
    }
    signed = sorted(name for name in headers if name.startswith('x-ca-'))
    fields = '&'.join(f'{name}={value}' for name, value in sorted(form.items()))
    lines = ['POST', headers['accept'], '', headers['content-type'], headers['date']]
    lines += [f'{name}:{headers[name]}' for name in signed] + [f'{path}?{fields}']
    digest = hmac.new(secret.encode(), '\n'.join(lines).encode(), hashlib.sha256).digest()
    headers['x-ca-signature-headers'] = ','.join(signed)
    headers['x-ca-signature'] = base64.b64encode(digest).decode()
    headers['host'] = f'{group_id}.localhost'
    place = urlsplit(server['gateway'])
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request('POST', path, urlencode(form), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
