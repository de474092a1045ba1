// APIs that a mock answers with the same text, one for each policy: what is left between them is the policy's cost. For benches.
import { ApiClient } from './api-client.ts';
import type { Target } from './load-job.ts';
import type { Yunmen } from './processes.ts';

const body = 'hello';
const stage = 'RELEASE';

type Plain = Extract<Target, { kind: 'plain' }>;
export type Mocks = Readonly<Record<'plain' | 'ip' | 'second' | 'day' | 'both' | 'throttled', Plain>>;

/** Two that relay to one backend, which answers as the mocks: what is left between them is the cost of a backend signature. */
export type Relays = Readonly<Record<'relayed' | 'signed', Plain>>;

/** Adds them to the server's only group. The server must allow the backend. */
export async function setUpRelays(yunmen: Yunmen, backend: string): Promise<Relays> {
  const client = new ApiClient(yunmen);
  try {
    const groups = await client.rpc('DescribeApiGroups', {});
    const [group] = (groups['ApiGroupAttributes'] as { ApiGroupAttribute: { GroupId: string }[] }).ApiGroupAttribute;
    const groupId = group?.GroupId ?? '';
    const add = async (name: keyof Relays): Promise<string> => {
      const service = { ServiceProtocol: 'HTTP', ServiceAddress: backend, ServiceTimeout: 10_000 };
      return addApi(client, {
        ...mockApi(groupId, name, `/${name}`, ''),
        ServiceConfig: JSON.stringify({ ...service, ServicePath: '/', ServiceHttpMethod: 'GET' }),
      });
    };
    await add('relayed');
    const ApiIds = await add('signed');
    const key = { SignatureName: 'backend', SignatureKey: 'benchkey', SignatureSecret: 'benchsecret' };
    const SignatureId = String((await client.rpc('CreateSignature', key))['SignatureId']);
    await client.rpc('SetSignatureApis', { GroupId: groupId, StageName: stage, SignatureId, ApiIds });
    const target = (name: keyof Relays): Plain => ({
      kind: 'plain',
      origin: yunmen.gateway,
      path: `/${name}`,
      status: 200,
      body,
    });
    return { relayed: target('relayed'), signed: target('signed') };
  } finally {
    client.close();
  }
}

/** A group, the server's only one, with an anonymous API for each row of Mocks at a path of its name. */
export async function setUpMocks(yunmen: Yunmen): Promise<Mocks> {
  const client = new ApiClient(yunmen);
  try {
    const made = await client.rpc('CreateApiGroup', { GroupName: 'bench', Description: '' });
    const groupId = String(made['GroupId']);
    const policies = await makePolicies(client);
    const add = async (name: keyof Mocks, bound: readonly (keyof typeof policies)[], status = 200): Promise<Plain> => {
      const apiId = await addMock(client, groupId, name);
      for (const policy of bound) {
        const { action, key, id } = policies[policy];
        await client.rpc(action, { GroupId: groupId, StageName: stage, [key]: id, ApiIds: apiId });
      }
      return { kind: 'plain', origin: yunmen.gateway, path: `/${name}`, status, body: status === 200 ? body : '' };
    };
    return {
      plain: await add('plain', []),
      ip: await add('ip', ['ip']),
      second: await add('second', ['second']),
      day: await add('day', ['day']),
      both: await add('both', ['ip', 'day']),
      throttled: await add('throttled', ['none'], 429),
    };
  } finally {
    client.close();
  }
}

async function makePolicies(client: ApiClient) {
  const traffic = async (name: string, unit: string, limit: number) => {
    const made = await client.rpc('CreateTrafficControl', {
      TrafficControlName: name,
      TrafficControlUnit: unit,
      ApiDefault: String(limit),
    });
    const id = String(made['TrafficControlId']);
    return { action: 'SetTrafficControlApis', key: 'TrafficControlId', id } as const;
  };
  const blocks = Array.from({ length: 9 }, (_, at) => `10.${at}.0.0/16`).join(';');
  const ip = await client.rpc('CreateIpControl', {
    IpControlName: 'ten_blocks',
    IpControlType: 'ALLOW',
    'IpControlPolicys.1.CidrIp': `${blocks};127.0.0.0/8`,
  });
  return {
    ip: { action: 'SetIpControlApis', key: 'IpControlId', id: String(ip['IpControlId']) },
    second: await traffic('each_second', 'SECOND', 1_000_000),
    day: await traffic('each_day', 'DAY', 100_000_000),
    none: await traffic('one_a_day', 'DAY', 1),
  } as const;
}

/** Parameters of CreateApi for an anonymous `GET path` that a mock answers with `body`. */
export function mockApi(GroupId: string, name: string, path: string, body: string): Readonly<Record<string, string>> {
  return {
    GroupId,
    ApiName: `api_${name}`,
    Visibility: 'PRIVATE',
    AuthType: 'ANONYMOUS',
    RequestConfig: JSON.stringify({
      RequestProtocol: 'HTTP',
      RequestHttpMethod: 'GET',
      RequestPath: path,
      RequestMode: 'PASSTHROUGH',
    }),
    ServiceConfig: JSON.stringify({
      ServiceProtocol: 'HTTP',
      ServiceAddress: 'http://unused',
      ServiceTimeout: 1000,
      Mock: 'TRUE',
      MockResult: body,
    }),
    ResultType: 'PASSTHROUGH',
    ResultSample: '',
  };
}

function addMock(client: ApiClient, groupId: string, name: string): Promise<string> {
  return addApi(client, mockApi(groupId, name, `/${name}`, body));
}

async function addApi(client: ApiClient, api: ReturnType<typeof mockApi>): Promise<string> {
  const { GroupId = '' } = api;
  const ApiId = String((await client.rpc('CreateApi', api))['ApiId']);
  await client.rpc('DeployApi', { GroupId, ApiId, StageName: stage, Description: 'bench' });
  return ApiId;
}
