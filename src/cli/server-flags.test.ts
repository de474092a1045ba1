import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CliError } from './errors.ts';
import { environmentName, parseServerOptions, serverFlags } from './server-flags.ts';

const refusal = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.exitCode === 2 && pattern.test(error.message);

test('without flags the documented defaults hold', () => {
  assert.deepEqual(parseServerOptions('start', {}, {}, '/home/me'), {
    mode: 'start',
    host: '127.0.0.1',
    gatewayPort: 8080,
    gatewayTlsPort: null,
    httpPort: 8082,
    apiHost: '127.0.0.1',
    apiPort: 8081,
    dataDir: '/home/me/.yunmen',
    accountId: null,
    region: 'cn-hangzhou',
    accessKeyId: null,
    accessKeySecret: null,
    isolation: null,
    network: null,
    allowedNetworks: [],
    user: null,
    defaultGroup: null,
    roles: [],
    runtimeFallback: false,
    strict: false,
    ownDomainLimitPerDay: null,
    allowedBackends: [],
    vpcTargets: {},
    trustedProxies: [],
    groupLimit: null,
    requestLimits: { body: 8 * 1024 * 1024, target: 128 * 1024, headers: 64 * 1024 },
    apiTimeoutMaxMs: 30_000,
    httpsPolicy: 'HTTPS2_TLS1_2',
    limitsUnboundGroups: false,
    dataProcesses: 1,
    spareMemoryMb: 96,
    imageDirectory: null,
    instanceLimit: null,
    intranet: null,
    traces: null,
    printCredentials: false,
  });
});

test('runtime fallback is on in dev unless switched off', () => {
  assert.equal(parseServerOptions('dev', {}, {}, '/').runtimeFallback, true);
  assert.equal(parseServerOptions('dev', { 'runtime-fallback': false }, {}, '/').runtimeFallback, false);
  assert.equal(parseServerOptions('dev', {}, { YUNMEN_RUNTIME_FALLBACK: '0' }, '/').runtimeFallback, false);
});

test('a flag beats the environment, and the environment beats the default', () => {
  const env = { YUNMEN_GATEWAY_PORT: '9000', YUNMEN_API_PORT: '9001', YUNMEN_REGION: '' };
  const options = parseServerOptions('start', { 'gateway-port': '0' }, env, '/');
  assert.equal(options.gatewayPort, 0);
  assert.equal(options.apiPort, 9001);
  assert.equal(options.region, 'cn-hangzhou');
});

test('addresses of backends and places in VPCs are given in lists', () => {
  const flags = { 'allow-backend': '10.0.0.0/8, ::1', 'vpc-target': 'vpc-1/i-1=10.0.0.5,vpc-1/i-2=db.internal' };
  const options = parseServerOptions('start', flags, {}, '/');
  assert.deepEqual(options.allowedBackends, ['10.0.0.0/8', '::1']);
  assert.deepEqual(options.vpcTargets, { 'vpc-1/i-1': '10.0.0.5', 'vpc-1/i-2': 'db.internal' });
  assert.deepEqual(parseServerOptions('start', {}, { YUNMEN_ALLOW_BACKEND: '127.0.0.1' }, '/').allowedBackends, [
    '127.0.0.1',
  ]);
});

test('a collector of traces has an address, headers and a share; none of them alone', () => {
  const given = parseServerOptions(
    'start',
    { 'trace-endpoint': 'http://localhost:4318/', 'trace-ratio': '0.1' },
    { YUNMEN_TRACE_HEADERS: 'authorization=Bearer a=b, x-team=one' },
    '/',
  );
  assert.deepEqual(given.traces, {
    endpoint: 'http://localhost:4318/',
    headers: { authorization: 'Bearer a=b', 'x-team': 'one' },
    ratio: 0.1,
  });
  for (const flags of [
    { 'trace-endpoint': 'localhost:4318' },
    { 'trace-endpoint': 'http://c', 'trace-ratio': '2' },
    { 'trace-endpoint': 'http://c', 'trace-headers': 'nonsense' },
    { 'trace-ratio': '0.5' },
  ]) {
    assert.throws(() => parseServerOptions('start', flags, {}, '/'), /trace-/);
  }
});

test('what is no internet may be named', () => {
  const given = parseServerOptions('start', { intranet: '198.51.100.0/24', 'instance-limit': '9' }, {}, '/');
  assert.deepEqual([given.intranet, given.instanceLimit], [['198.51.100.0/24'], 9]);
  for (const [value, megabytes] of [
    ['0', 0],
    ['512', 512],
  ] as const) {
    assert.equal(parseServerOptions('start', { 'spare-memory': value }, {}, '/').spareMemoryMb, megabytes);
  }
  assert.throws(() => parseServerOptions('start', { 'spare-memory': '-1' }, {}, '/'), /whole number/);
  assert.throws(() => parseServerOptions('start', { intranet: 'office' }, {}, '/'), /takes addresses/);
});

test('proxies that are believed and the limit of groups are off unless given', () => {
  const plain = parseServerOptions('start', {}, {}, '/');
  assert.deepEqual([plain.trustedProxies, plain.groupLimit], [[], null]);
  const given = parseServerOptions('start', { 'trusted-proxy': '10.0.0.0/8,::1', 'group-limit': '500' }, {}, '/');
  assert.deepEqual([given.trustedProxies, given.groupLimit], [['10.0.0.0/8', '::1'], 500]);
  for (const flags of [{ 'trusted-proxy': 'proxy.local' }, { 'group-limit': '0' }, { 'group-limit': '1.5' }]) {
    assert.throws(() => parseServerOptions('start', flags, {}, '/'), /takes/);
  }
});

test('every flag has an environment name in the same spelling', () => {
  assert.equal(environmentName('access-key-secret'), 'YUNMEN_ACCESS_KEY_SECRET');
  assert.equal(new Set(serverFlags.map(({ name }) => environmentName(name))).size, serverFlags.length);
});

for (const [what, flags, env, pattern] of [
  ['a port that is no number', { 'gateway-port': 'eighty' }, {}, /--gateway-port takes a port.*'eighty'/],
  ['a limit that is no number', { 'own-domain-limit': 'many' }, {}, /--own-domain-limit takes a number, not 'many'/],
  ['a block that is none', { 'allow-backend': '10.0.0.0/8,nowhere' }, {}, /--allow-backend takes.*'nowhere'/],
  [
    'a VPC target without a place',
    {},
    { YUNMEN_VPC_TARGET: 'vpc-1=10.0.0.5' },
    /YUNMEN_VPC_TARGET takes vpcId\/instanceId=host/,
  ],
  ['a port beyond 65535', { 'api-port': '65536' }, {}, /--api-port takes a port/],
  [
    'a bad port from the environment, naming the variable',
    {},
    { YUNMEN_HTTP_PORT: '-1' },
    /YUNMEN_HTTP_PORT takes a port/,
  ],
  [
    'an unknown isolation tier, naming the known ones',
    { isolation: 'jail' },
    {},
    /strong, user, restricted, none.*'jail'/,
  ],
  ['an account id with letters', { 'account-id': 'me' }, {}, /--account-id takes an account id/],
  ['a region that is none', { region: 'Hangzhou' }, {}, /--region takes a region id/],
  ['a default group that is no group id', { 'default-group': 'g' }, {}, /--default-group takes a group id/],
  ['an address with a scheme', { host: 'http://x' }, {}, /--host takes an address/],
  ['one half of a key', { 'access-key-id': 'abc' }, {}, /go together/],
  [
    'the same port twice',
    { 'gateway-port': '9000', 'http-port': '9000' },
    {},
    /--gateway-port and --http-port are both 9000/,
  ],
  ['more bytes than may be', { 'body-limit': '2000' }, {}, /--body-limit takes a number from 1 to 1024, not '2000'/],
  ['no bytes at all', { 'uri-limit': '0' }, {}, /--uri-limit takes a whole number from 1/],
  ['a policy that is none', { 'https-policy': 'TLS1' }, {}, /--https-policy takes one of HTTPS1_1_TLS1_0, .*'TLS1'/],
  ['a role that is no ARN', { roles: 'gateway' }, {}, /--roles takes role ARNs.*'gateway'/],
  ['a switch that is neither on nor off', {}, { YUNMEN_PRINT_CREDENTIALS: 'maybe' }, /takes true or false/],
] as const) {
  test(`refuses ${what}`, () => {
    assert.throws(() => parseServerOptions('start', flags, env, '/'), refusal(pattern));
  });
}

test('limits of requests are given in round units', () => {
  const flags = { 'body-limit': '32', 'uri-limit': '8', 'header-limit': '16', 'api-timeout-limit': '60' };
  const options = parseServerOptions('start', { ...flags, 'limit-unbound-groups': true }, {}, '/');
  assert.deepEqual(options.requestLimits, { body: 32 * 1024 * 1024, target: 8 * 1024, headers: 16 * 1024 });
  assert.deepEqual([options.apiTimeoutMaxMs, options.limitsUnboundGroups], [60_000, true]);
});

test('a refusal never shows the secret', () => {
  const secret = 'do-not-print-this';
  assert.throws(
    () => parseServerOptions('start', { 'access-key-secret': secret }, {}, '/'),
    (error: unknown) => error instanceof Error && !error.message.includes(secret),
  );
});

test('port 0 may be asked for several times', () => {
  const options = parseServerOptions('start', { 'gateway-port': '0', 'http-port': '0', 'api-port': '0' }, {}, '/');
  assert.deepEqual([options.gatewayPort, options.httpPort, options.apiPort], [0, 0, 0]);
});

test('roles are a comma list; a star is every role, which dev takes anyway', () => {
  const roles = (mode: 'start' | 'dev', text?: string) =>
    parseServerOptions(mode, text === undefined ? {} : { roles: text }, {}, '/').roles;
  assert.deepEqual(roles('start', 'acs:ram::1:role/a, acs:ram::1:role/team/b'), [
    'acs:ram::1:role/a',
    'acs:ram::1:role/team/b',
  ]);
  assert.deepEqual([roles('start', '*'), roles('dev'), roles('start')], [null, null, []]);
});
