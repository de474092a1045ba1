"""The journey with one pair of official Python SDKs: `journey.py <pair>`. The server's addresses and key come as JSON in YUNMEN_SERVER.

Exits 0 when every step did what it should, otherwise with a traceback.
"""
import json
import os
import sys
import tempfile

import function_halves as functions
import gateway_halves as gateway

PAIRS = {
    'fc2+core-get': (functions.Fc2, lambda server: gateway.CoreRpc(server, 'GET')),
    'fc_open20210406+cloudapi20160714': (functions.FcOpen, gateway.CurrentSdk),
    'fc20230330+cloudapi20160714': (functions.Fc3, gateway.CurrentSdk),
    'core-roa+core-post': (functions.CoreRoa, lambda server: gateway.CoreRpc(server, 'POST')),
}


def publish(ask, name, target):
    """Group, API, live in RELEASE, app with its grant."""
    group_id = ask('CreateApiGroup', {'GroupName': name, 'Description': '天气 a*b~c'})['GroupId']
    api = {'GroupId': group_id, 'ApiName': name, **gateway.definition(target)}
    stage = {'GroupId': group_id, 'ApiId': ask('CreateApi', api)['ApiId'], 'StageName': 'RELEASE'}
    ask('DeployApi', {**stage, 'Description': 'first'})
    app_id = ask('CreateApp', {'AppName': name})['AppId']
    grant = {**stage, 'AppIds': str(app_id)}
    ask('SetAppsAuthorities', grant)
    security = ask('DescribeAppSecurity', {'AppId': app_id})
    return stage, grant, app_id, (security['AppKey'], security['AppSecret'])


def journey(server, pair):
    make_functions, make_gateway = PAIRS[pair]
    name = f'python_{list(PAIRS).index(pair)}'
    half = make_functions(server, name)
    with tempfile.TemporaryDirectory() as directory:
        half.create(directory)
    result = json.loads(half.invoke(json.dumps({'queryParameters': {'a': '1', 'b': '2'}})))
    assert result['body'] == {'msg': '3'}, result

    ask = make_gateway(server).ask
    stage, grant, app_id, keys = publish(ask, name, half.target)
    group_id = stage['GroupId']
    form = {'a': '12323', 'b': '142'}
    call = lambda key, secret: gateway.post_form(server, group_id, '/testadd', form, key, secret)
    assert call(*keys) == (200, '{"msg":"12465"}'), call(*keys)
    assert call(keys[0], 'wrong')[0] in (400, 403)
    assert ask('DescribeApiGroup', {'GroupId': group_id})['Description'] == '天气 a*b~c'
    functions.expect('DuplicateGroupName', lambda: ask('CreateApiGroup', {'GroupName': name}))
    history = ask('DescribeApiHistories', {'GroupId': group_id, 'ApiId': stage['ApiId']})
    assert [row['Status'] for row in history['ApiHisItems']['ApiHisItem']] == ['ONLINE'], history

    ask('RemoveAppsAuthorities', grant)
    assert call(*keys)[0] == 403
    ask('AbolishApi', stage)
    assert call(*keys)[0] == 404
    ask('DeleteApi', {'GroupId': group_id, 'ApiId': stage['ApiId']})
    ask('DeleteApp', {'AppId': app_id})
    ask('DeleteApiGroup', {'GroupId': group_id})
    functions.expect('NotFoundApiGroup', lambda: ask('DescribeApiGroup', {'GroupId': group_id}))
    half.remove()


if __name__ == '__main__':
    journey(json.loads(os.environ['YUNMEN_SERVER']), sys.argv[1])
