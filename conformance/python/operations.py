"""Layers, triggers, provisioned instances, limits and instances with one official Python SDK: `operations.py <fc2|fc_open|fc3>`.
The server's addresses and key come as JSON in YUNMEN_SERVER. Exits 0 when every step did what it should.
"""
import base64
import io
import json
import os
import sys
import tempfile
import time
import zipfile

from function_halves import expect, Fc2, Fc3, FcOpen, tea_call

LAYER = {'python/shared_words.py': "WORD = 'from the layer'\n"}
FUNCTION = {
    'index.py': (
        'def handler(event, context):\n'
        '    import shared_words\n'
        '    return shared_words.WORD\n'
    )
}
TRIGGER = {'authType': 'anonymous', 'methods': ['GET']}


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w') as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def encoded(files):
    return base64.b64encode(zipped(files)).decode()


def until(what, is_so):
    late = time.monotonic() + 20
    while not is_so(what()):
        assert time.monotonic() < late, f'it did not come: {what()}'
        time.sleep(0.02)


class Classic(Fc2):
    """aliyun-fc2 has no calls for layers: the function goes without."""

    has_layers = False

    def make_function(self, _layer):
        self.call('create_service', self.name)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'code.zip')
            with open(path, 'wb') as file:
                file.write(zipped({'index.py': "def handler(event, context):\n    return 'from the layer'\n"}))
            self.call('create_function', self.name, 'testadd', 'python3.10', 'index.handler', codeZipFile=path, timeout=10)

    def make_trigger(self):
        args = (self.name, 'testadd', 'web', 'http', TRIGGER, 'dummy_arn', '')
        made = self.call('create_trigger', *args).data
        # As the SDK's own suite compares. Source: sdk.
        assert (made['sourceArn'], made['invocationRole'], made['triggerConfig']) == (None, '', TRIGGER), made
        assert [each['triggerName'] for each in self.call('list_triggers', self.name, 'testadd').data['triggers']] == ['web']
        assert self.call('get_trigger', self.name, 'testadd', 'web').data['triggerId'] == made['triggerId']
        self.call('update_trigger', self.name, 'testadd', 'web', triggerConfig={'authType': 'function', 'methods': ['GET']})
        self.call('delete_trigger', self.name, 'testadd', 'web')
        expect('TriggerNotFound', lambda: self.call('get_trigger', self.name, 'testadd', 'web'))

    def provision(self, target):
        made = self.call('put_provision_config', self.name, 'LATEST', 'testadd', target).data
        assert made['target'] == target and made['resource'].endswith(f'#{self.name}#LATEST#testadd'), made

    def current(self):
        return self.call('get_provision_config', self.name, 'LATEST', 'testadd').data['current']

    def limit(self, maximum):
        made = self.call('put_on_demand_config', self.name, 'LATEST', 'testadd', maximum).data
        assert made['maximumInstanceCount'] == maximum, made

    def unlimit(self):
        self.call('delete_on_demand_config', self.name, 'LATEST', 'testadd')

    def instances(self):
        return [each['instanceId'] for each in self.call('list_instances', self.name, 'LATEST', 'testadd').data['instances']]


class Open(FcOpen):
    has_layers = True

    def make_layer(self):
        request = self.models.CreateLayerVersionRequest(code=self.models.Code(zip_file=encoded(LAYER)))
        return tea_call(self.sdk.create_layer_version, self.name, request).body.arn

    def delete_layer(self):
        tea_call(self.sdk.delete_layer_version, self.name, '1')
        expect('LayerVersionNotFound', lambda: tea_call(self.sdk.get_layer_version, self.name, '1'))

    def make_function(self, layer):
        models = self.models
        tea_call(self.sdk.create_service, models.CreateServiceRequest(service_name=self.name))
        code = models.Code(zip_file=encoded(FUNCTION))
        settings = {'function_name': 'testadd', 'runtime': 'python3.10', 'handler': 'index.handler', 'timeout': 10}
        tea_call(self.sdk.create_function, self.name, models.CreateFunctionRequest(code=code, layers=[layer], **settings))

    def make_trigger(self):
        models = self.models
        request = models.CreateTriggerRequest(
            trigger_name='web', trigger_type='http', trigger_config=json.dumps(TRIGGER)
        )
        made = tea_call(self.sdk.create_trigger, self.name, 'testadd', request).body
        assert json.loads(made.trigger_config) == TRIGGER and made.url_internet.startswith('http'), made
        listed = tea_call(self.sdk.list_triggers, self.name, 'testadd', models.ListTriggersRequest()).body
        assert [each.trigger_name for each in listed.triggers] == ['web'], listed
        tea_call(self.sdk.delete_trigger, self.name, 'testadd', 'web')
        expect('TriggerNotFound', lambda: tea_call(self.sdk.get_trigger, self.name, 'testadd', 'web'))

    def provision(self, target):
        request = self.models.PutProvisionConfigRequest(qualifier='LATEST', target=target)
        made = tea_call(self.sdk.put_provision_config, self.name, 'testadd', request).body
        assert made.target == target, made

    def current(self):
        request = self.models.GetProvisionConfigRequest(qualifier='LATEST')
        return tea_call(self.sdk.get_provision_config, self.name, 'testadd', request).body.current

    def limit(self, maximum):
        request = self.models.PutFunctionOnDemandConfigRequest(qualifier='LATEST', maximum_instance_count=maximum)
        made = tea_call(self.sdk.put_function_on_demand_config, self.name, 'testadd', request).body
        assert made.maximum_instance_count == maximum, made

    def unlimit(self):
        request = self.models.DeleteFunctionOnDemandConfigRequest(qualifier='LATEST')
        tea_call(self.sdk.delete_function_on_demand_config, self.name, 'testadd', request)

    def instances(self):
        request = self.models.ListInstancesRequest(qualifier='LATEST')
        listed = tea_call(self.sdk.list_instances, self.name, 'testadd', request).body
        return [each.instance_id for each in listed.instances or []]


class Third(Fc3):
    has_layers = True

    def make_layer(self):
        models = self.models
        body = models.CreateLayerVersionInput(code=models.InputCodeLocation(zip_file=encoded(LAYER)))
        request = models.CreateLayerVersionRequest(body=body)
        return tea_call(self.sdk.create_layer_version, self.name, request).body.layer_version_arn

    def delete_layer(self):
        tea_call(self.sdk.delete_layer_version, self.name, '1')
        expect('LayerVersionNotFound', lambda: tea_call(self.sdk.get_layer_version, self.name, '1'))

    def make_function(self, layer):
        models = self.models
        settings = {'function_name': self.name, 'runtime': 'python3.10', 'handler': 'index.handler', 'timeout': 10}
        code = models.InputCodeLocation(zip_file=encoded(FUNCTION))
        body = models.CreateFunctionInput(code=code, layers=[layer], **settings)
        made = tea_call(self.sdk.create_function, models.CreateFunctionRequest(body=body)).body
        assert [each.arn for each in made.layers] == [layer], made

    def make_trigger(self):
        models = self.models
        body = models.CreateTriggerInput(
            trigger_name='web', trigger_type='http', trigger_config=json.dumps(TRIGGER)
        )
        made = tea_call(self.sdk.create_trigger, self.name, models.CreateTriggerRequest(body=body)).body
        assert json.loads(made.trigger_config) == TRIGGER and made.http_trigger.url_internet.startswith('http'), made
        tea_call(self.sdk.delete_trigger, self.name, 'web')
        expect('TriggerNotFound', lambda: tea_call(self.sdk.get_trigger, self.name, 'web'))

    def provision(self, target):
        body = self.models.PutProvisionConfigInput(default_target=target)
        request = self.models.PutProvisionConfigRequest(qualifier='LATEST', body=body)
        made = tea_call(self.sdk.put_provision_config, self.name, request).body
        assert made.default_target == target, made

    def current(self):
        request = self.models.GetProvisionConfigRequest(qualifier='LATEST')
        return tea_call(self.sdk.get_provision_config, self.name, request).body.current

    def limit(self, maximum):
        body = self.models.PutConcurrencyInput(reserved_concurrency=maximum)
        made = tea_call(self.sdk.put_concurrency_config, self.name, self.models.PutConcurrencyConfigRequest(body=body)).body
        assert made.reserved_concurrency == maximum, made

    def unlimit(self):
        tea_call(self.sdk.delete_concurrency_config, self.name)

    def instances(self):
        request = self.models.ListInstancesRequest(qualifier='LATEST')
        listed = tea_call(self.sdk.list_instances, self.name, request).body
        return [each.instance_id for each in listed.instances or []]


def operations(half):
    half.make_function(half.make_layer() if half.has_layers else None)
    if half.has_layers:
        half.delete_layer()
    half.provision(1)
    until(half.current, lambda current: current == 1)
    [instance] = half.instances()
    assert half.invoke('e') == 'from the layer'
    assert half.instances() == [instance], 'the provisioned instance served'
    half.provision(0)
    half.limit(0)
    expect('ResourceExhausted', lambda: half.invoke('e'))
    half.unlimit()
    assert half.invoke('e') == 'from the layer'
    half.make_trigger()
    half.remove()


if __name__ == '__main__':
    halves = {'fc2': Classic, 'fc_open': Open, 'fc3': Third}
    server = json.loads(os.environ['YUNMEN_SERVER'])
    operations(halves[sys.argv[1]](server, f'operations_{sys.argv[1]}'))
