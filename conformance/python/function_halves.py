"""The function's half of the journey, once for each official SDK. Called by journey.py."""
import base64
import io
import json
import zipfile

SOURCE = {
    # As found in a user's report of 2018: a module of its own beside the handler, and a result whose body is an object.
    'index.py': (
        'import json\n'
        'import zaliapi.ApiResponse as zapi\n'
        'def handler(event, context):\n'
        "    params = json.loads(event)['queryParameters']\n"
        "    answer = zapi.ApiResponse({'msg': str(int(params['a']) + int(params['b']))})\n"
        '    return json.dumps(answer.to_dict())\n'
    ),
    'zaliapi/__init__.py': '',
    'zaliapi/ApiResponse.py': (
        'class ApiResponse:\n'
        '    def __init__(self, body):\n'
        '        self.body = body\n'
        '    def to_dict(self):\n'
        "        return {'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': self.body}\n"
    ),
}
RUNTIME, HANDLER = 'python3.10', 'index.handler'


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, text in SOURCE.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def code():
    return base64.b64encode(zipped()).decode()


class Refused(Exception):
    """What every half turns its SDK's error into: the service's own code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Fc2:
    """aliyun-fc2, classic signature."""

    def __init__(self, server, name):
        import fc2

        self.name = name
        self.sdk = fc2.Client(
            endpoint=server['api'], accessKeyID=server['accessKeyId'], accessKeySecret=server['accessKeySecret']
        )
        self.target = {'FcRegionId': server['region'], 'ServiceName': name, 'FunctionName': 'testadd'}

    def call(self, method, *args, **options):
        import fc2

        try:
            return getattr(self.sdk, method)(*args, **options)
        except fc2.fc_exceptions.FcError as error:
            raise Refused(error.err_code) from error

    def create(self, directory):
        import os

        path = os.path.join(directory, f'{self.name}.zip')
        with open(path, 'wb') as file:
            file.write(zipped())
        self.call('create_service', self.name, description='journey')
        made = self.call(
            'create_function', self.name, 'testadd', RUNTIME, HANDLER, codeZipFile=path, memorySize=128, timeout=10
        )
        assert made.data['functionName'] == 'testadd', made.data
        assert self.call('get_service', self.name).data['description'] == 'journey'

    def invoke(self, event):
        answer = self.call('invoke_function', self.name, 'testadd', payload=event.encode())
        return answer.data if isinstance(answer.data, str) else answer.data.decode()

    def remove(self):
        self.call('delete_function', self.name, 'testadd')
        expect('FunctionNotFound', lambda: self.call('get_function', self.name, 'testadd'))
        self.call('delete_service', self.name)


def tea_config(server):
    from alibabacloud_tea_openapi import models

    return models.Config(
        access_key_id=server['accessKeyId'],
        access_key_secret=server['accessKeySecret'],
        endpoint=server['api'].replace('http://', ''),
        protocol='http',
        region_id=server['region'],
    )


def tea_call(method, *args):
    """Any method of an alibabacloud SDK. Its error has the code as `code`."""
    try:
        return method(*args)
    except Exception as error:
        if getattr(error, 'code', None) is None:
            raise
        raise Refused(error.code) from error


class FcOpen:
    """alibabacloud_fc_open20210406, V3."""

    def __init__(self, server, name):
        from alibabacloud_fc_open20210406 import client, models

        self.name, self.models = name, models
        self.sdk = client.Client(tea_config(server))
        self.target = {'FcRegionId': server['region'], 'ServiceName': name, 'FunctionName': 'testadd'}

    def create(self, _directory):
        models = self.models
        tea_call(self.sdk.create_service, models.CreateServiceRequest(service_name=self.name, description='journey'))
        request = models.CreateFunctionRequest(
            function_name='testadd',
            runtime=RUNTIME,
            handler=HANDLER,
            memory_size=128,
            timeout=10,
            code=models.Code(zip_file=code()),
        )
        made = tea_call(self.sdk.create_function, self.name, request)
        assert made.body.function_name == 'testadd', made.body
        shown = tea_call(self.sdk.get_service, self.name, models.GetServiceRequest())
        assert shown.body.description == 'journey'

    def invoke(self, event):
        request = self.models.InvokeFunctionRequest(body=event.encode())
        return tea_call(self.sdk.invoke_function, self.name, 'testadd', request).body.decode()

    def remove(self):
        tea_call(self.sdk.delete_function, self.name, 'testadd')
        request = self.models.GetFunctionRequest()
        expect('FunctionNotFound', lambda: tea_call(self.sdk.get_function, self.name, 'testadd', request))
        tea_call(self.sdk.delete_service, self.name)


class Fc3:
    """alibabacloud_fc20230330, V3."""

    def __init__(self, server, name):
        from alibabacloud_fc20230330 import client, models

        self.name, self.models = name, models
        self.sdk = client.Client(tea_config(server))
        self.target = {'FcRegionId': server['region'], 'FcVersion': '3.0', 'FunctionName': name}

    def create(self, _directory):
        models = self.models
        body = models.CreateFunctionInput(
            function_name=self.name,
            runtime=RUNTIME,
            handler=HANDLER,
            memory_size=128,
            cpu=0.1,
            timeout=10,
            code=models.InputCodeLocation(zip_file=code()),
        )
        made = tea_call(self.sdk.create_function, models.CreateFunctionRequest(body=body))
        assert made.body.function_arn.endswith(f':functions/{self.name}'), made.body

    def invoke(self, event):
        request = self.models.InvokeFunctionRequest(body=io.BytesIO(event.encode()))
        return tea_call(self.sdk.invoke_function, self.name, request).body.read().decode()

    def remove(self):
        tea_call(self.sdk.delete_function, self.name)
        request = self.models.GetFunctionRequest()
        expect('FunctionNotFound', lambda: tea_call(self.sdk.get_function, self.name, request))


class CoreRoa:
    """aliyun-python-sdk-core, ROA signature, on 2023-03-30."""

    VERSION = '2023-03-30'

    def __init__(self, server, name):
        self.server, self.name = server, name
        self.target = {'FcRegionId': server['region'], 'FcVersion': '3.0', 'FunctionName': name}

    def call(self, method, path, body=None):
        request = core_request(self.server)
        request.set_version(self.VERSION)
        request.set_uri_pattern(f'/{self.VERSION}{path}')
        request.set_method(method)
        if body is not None:
            request.set_content(body.encode())
            request.set_content_type('application/json')
        return core_call(self.server, request)

    def create(self, _directory):
        settings = {'functionName': self.name, 'runtime': RUNTIME, 'handler': HANDLER, 'memorySize': 128, 'timeout': 10}
        made = self.call('POST', '/functions', json.dumps({**settings, 'code': {'zipFile': code()}}))
        assert json.loads(made)['functionName'] == self.name

    def invoke(self, event):
        return self.call('POST', f'/functions/{self.name}/invocations', event).decode()

    def remove(self):
        self.call('DELETE', f'/functions/{self.name}')
        expect('FunctionNotFound', lambda: self.call('GET', f'/functions/{self.name}'))


def core_request(server):
    from aliyunsdkcore.request import CommonRequest

    request = CommonRequest()
    request.set_domain(server['api'].replace('http://', '').split(':')[0])
    request.set_protocol_type('http')
    request.set_accept_format('json')
    return request


def core_call(server, request):
    from aliyunsdkcore.acs_exception.exceptions import ServerException
    from aliyunsdkcore.client import AcsClient

    port = int(server['api'].rsplit(':', 1)[1])
    client = AcsClient(server['accessKeyId'], server['accessKeySecret'], server['region'], port=port)
    try:
        return client.do_action_with_exception(request)
    except ServerException as error:
        raise Refused(error.get_error_code()) from error


def expect(code, call):
    """The call must be refused with this code."""
    try:
        call()
    except Refused as refusal:
        assert refusal.code == code, f'wanted {code}, got {refusal.code}'
        return
    raise AssertionError(f'wanted {code}, and it was answered')
