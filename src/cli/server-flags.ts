// The flags of `start` and `dev`: one table with default, unit and meaning; environment YUNMEN_… in the same spelling.
// Flag beats environment beats default.
import { isAbsolute, resolve } from 'node:path';
import { parseBlock } from '../base/address-guard.ts';
import { type HttpsPolicy, httpsPolicies, isHttpsPolicy } from '../model/https-policy.ts';
import { wrongUsage } from './errors.ts';
import {
  type IsolationTier,
  isolationTiers,
  type NetworkMode,
  networkModes,
  type ServerOptions,
} from './server-port.ts';

export type ServerFlag = {
  readonly name: string;
  /** Placeholder in the help; null for a switch. */
  readonly value: string | null;
  readonly help: string;
  /** Shown in the help; the value itself is decided in parseServerOptions. */
  readonly shownDefault: string | null;
  /** May be given several times, or once with commas. */
  readonly isList?: true;
};

export const serverFlags = [
  { name: 'host', value: 'address', help: 'where the gateway and http listeners bind', shownDefault: '127.0.0.1' },
  { name: 'gateway-port', value: 'port', help: 'gateway; 0 = any free port', shownDefault: '8080' },
  { name: 'gateway-tls-port', value: 'port', help: 'gateway over TLS; usual is 8443', shownDefault: 'off' },
  { name: 'http-port', value: 'port', help: 'function URLs and custom domains', shownDefault: '8082' },
  { name: 'api-host', value: 'address', help: 'where the APIs and the console bind', shownDefault: '127.0.0.1' },
  { name: 'api-port', value: 'port', help: 'OpenAPI, Function Compute API, console', shownDefault: '8081' },
  { name: 'data-dir', value: 'folder', help: 'everything that is kept', shownDefault: '.yunmen' },
  { name: 'account-id', value: 'digits', help: 'account of this installation', shownDefault: 'made at first start' },
  { name: 'region', value: 'id', help: 'region that the server says it is in', shownDefault: 'cn-hangzhou' },
  { name: 'access-key-id', value: 'id', help: 'key of the account', shownDefault: 'made at first start' },
  { name: 'access-key-secret', value: 'text', help: 'its secret; better given in the environment', shownDefault: null },
  { name: 'isolation', value: 'tier', help: `demand a tier: ${isolationTiers.join(', ')}`, shownDefault: 'best' },
  {
    name: 'network',
    value: 'mode',
    help: `demand a network for functions: ${networkModes.join(', ')}`,
    shownDefault: 'open where it can be had',
  },
  {
    name: 'allow-network',
    value: 'cidr',
    help: 'private addresses that functions may reach; may be repeated',
    shownDefault: 'none',
    isList: true,
  },
  {
    name: 'user',
    value: 'name',
    help: 'user that all but the launcher become when started as root',
    shownDefault: null,
  },
  {
    name: 'default-group',
    value: 'groupId',
    help: 'group that answers at an IP address or localhost',
    shownDefault: 'the only one',
  },
  {
    name: 'roles',
    value: 'arns',
    help: 'roles that an API may name as RoleArn, a comma list; * = every one',
    shownDefault: '* in dev, none in start',
  },
  {
    name: 'runtime-fallback',
    value: null,
    help: 'let a newer minor version run a function whose interpreter is missing',
    shownDefault: 'on in dev',
  },
  {
    name: 'strict',
    value: null,
    help: 'freeze instances as soon as they have answered, as the cloud does',
    shownDefault: 'after 1 s',
  },
  {
    name: 'own-domain-limit',
    value: 'calls',
    help: "calls a day that a group's own domain takes; the cloud has 1000",
    shownDefault: 'none',
  },
  {
    name: 'allow-backend',
    value: 'cidr',
    help: 'private or loopback addresses that backends may have; may be repeated',
    shownDefault: 'none; loopback in dev',
    isList: true,
  },
  {
    name: 'vpc-target',
    value: 'place=host',
    help: 'where vpcId/instanceId really is; may be repeated',
    shownDefault: null,
    isList: true,
  },
  {
    name: 'image-dir',
    value: 'directory',
    help: 'holds container images, unpacked as OCI bundles, for custom-container',
    shownDefault: 'none',
  },
  {
    name: 'trusted-proxy',
    value: 'cidr',
    help: 'proxies before the gateway whose X-Forwarded-For is believed; may be repeated',
    shownDefault: 'none',
    isList: true,
  },
  {
    name: 'group-limit',
    value: 'calls',
    help: 'calls a second that each API group may have',
    shownDefault: 'none',
  },
  {
    name: 'limit-unbound-groups',
    value: null,
    help: 'at most 5 API groups without a domain of their own, 20 once one has one, as in the cloud',
    shownDefault: null,
  },
  {
    name: 'body-limit',
    value: 'megabytes',
    help: "largest body of a request to an API; the cloud's 8 or 32",
    shownDefault: '8',
  },
  { name: 'uri-limit', value: 'kilobytes', help: 'longest path and query of such a request', shownDefault: '128' },
  { name: 'header-limit', value: 'kilobytes', help: 'most that all its headers may hold', shownDefault: '64' },
  {
    name: 'api-timeout-limit',
    value: 'seconds',
    help: 'longest ServiceTimeout that an API may have',
    shownDefault: '30',
  },
  {
    name: 'https-policy',
    value: 'name',
    help: `versions of TLS for groups without a policy of their own: ${Object.keys(httpsPolicies).join(', ')}`,
    shownDefault: 'HTTPS2_TLS1_2',
  },
  {
    name: 'data-processes',
    value: 'number',
    help: 'processes that share the gateway and the functions; each has its own instances',
    shownDefault: '1',
  },
  {
    name: 'spare-memory',
    value: 'megabytes',
    help: 'memory for processes that wait for a function, so that its first call need not start one; 0: none wait',
    shownDefault: '96',
  },
  {
    name: 'instance-limit',
    value: 'calls',
    help: 'calls a second that all API groups together may have',
    shownDefault: 'none',
  },
  {
    name: 'intranet',
    value: 'cidr',
    help: 'addresses that APIs with DisableInternet take calls from; may be repeated',
    shownDefault: 'private and loopback',
    isList: true,
  },
  {
    name: 'trace-endpoint',
    value: 'url',
    help: 'OpenTelemetry collector that takes traces by OTLP/HTTP, such as http://localhost:4318',
    shownDefault: 'none',
  },
  {
    name: 'trace-headers',
    value: 'name=value',
    help: 'headers for the collector, a comma list; better given in the environment',
    shownDefault: 'none',
  },
  { name: 'trace-ratio', value: '0..1', help: 'share of the calls without a trace that get one', shownDefault: '1' },
  { name: 'print-credentials', value: null, help: 'print the secret of the access key', shownDefault: null },
] as const satisfies readonly ServerFlag[];

export type ServerFlagName = (typeof serverFlags)[number]['name'];
type Environment = Readonly<Record<string, string | undefined>>;

/** `gateway-port` → `YUNMEN_GATEWAY_PORT`. */
export function environmentName(flag: string): string {
  return `YUNMEN_${flag.toUpperCase().replaceAll('-', '_')}`;
}

type Given = { readonly value: string; readonly from: string };

/**
 * Turns flags and environment into options.
 *
 * Shape of `flags`: flag name → text, true or false for switches, undefined when absent.
 * Errors: wrong usage (exit 2), naming the flag or the environment variable at fault.
 */
export function parseServerOptions(
  mode: 'start' | 'dev',
  flags: Partial<Readonly<Record<ServerFlagName, string | boolean | undefined>>>,
  env: Environment,
  cwd: string,
): ServerOptions {
  const given = (name: ServerFlagName): Given | null => {
    const flag = flags[name];
    if (flag !== undefined) return { value: String(flag), from: `--${name}` };
    const variable = environmentName(name);
    const value = env[variable];
    return value === undefined || value === '' ? null : { value, from: variable };
  };
  const text = (name: ServerFlagName) => given(name)?.value ?? null;
  const dataDir = text('data-dir') ?? '.yunmen';
  const imageDirectory = text('image-dir');
  const options: ServerOptions = {
    mode,
    host: parseHost(given('host')),
    gatewayPort: parsePort(given('gateway-port'), 8080),
    gatewayTlsPort: given('gateway-tls-port') === null ? null : parsePort(given('gateway-tls-port'), 8443),
    httpPort: parsePort(given('http-port'), 8082),
    apiHost: parseHost(given('api-host')),
    apiPort: parsePort(given('api-port'), 8081),
    dataDir: isAbsolute(dataDir) ? dataDir : resolve(cwd, dataDir),
    accountId: parseMatching(given('account-id'), /^\d{1,20}$/, 'an account id: digits only'),
    region:
      parseMatching(given('region'), /^[a-z]{2,}(-[a-z0-9]+)+$/, 'a region id such as cn-hangzhou') ?? 'cn-hangzhou',
    accessKeyId: parseMatching(given('access-key-id'), /^[A-Za-z0-9._-]{2,128}$/, 'an access key id'),
    accessKeySecret: text('access-key-secret'),
    isolation: parseIsolation(given('isolation')),
    network: parseNetwork(given('network')),
    allowedNetworks: parseIpv4Blocks(given('allow-network')),
    user: parseMatching(given('user'), /^[a-z_][a-z0-9_-]*$/i, 'a user name'),
    defaultGroup: parseMatching(given('default-group'), /^[0-9a-f]{32}$/, 'a group id: 32 hex digits'),
    roles: parseRoles(given('roles'), mode),
    runtimeFallback: parseSwitch(given('runtime-fallback'), mode === 'dev'),
    strict: parseSwitch(given('strict'), false),
    ownDomainLimitPerDay: parseLimit(given('own-domain-limit')),
    allowedBackends: parseBlocks(given('allow-backend')),
    vpcTargets: parseVpcTargets(given('vpc-target')),
    imageDirectory: imageDirectory === null ? null : resolve(cwd, imageDirectory),
    trustedProxies: parseBlocks(given('trusted-proxy')),
    groupLimit: parseCount(given('group-limit')),
    requestLimits: {
      body: parseUpTo(given('body-limit'), 8, 1024) * 1024 * 1024,
      target: parseUpTo(given('uri-limit'), 128, 1024) * 1024,
      headers: parseUpTo(given('header-limit'), 64, 1024) * 1024,
    },
    apiTimeoutMaxMs: parseUpTo(given('api-timeout-limit'), 30, 3600) * 1000,
    httpsPolicy: parseHttpsPolicy(given('https-policy')),
    limitsUnboundGroups: parseSwitch(given('limit-unbound-groups'), false),
    dataProcesses: parseUpTo(given('data-processes'), 1, 64),
    spareMemoryMb: given('spare-memory')?.value === '0' ? 0 : (parseCount(given('spare-memory')) ?? 96),
    instanceLimit: parseCount(given('instance-limit')),
    intranet: given('intranet') === null ? null : parseBlocks(given('intranet')),
    traces: parseTraces(given('trace-endpoint'), given('trace-headers'), given('trace-ratio')),
    printCredentials: parseSwitch(given('print-credentials'), false),
  };
  refuseContradictions(options);
  return options;
}

function refuseContradictions(options: ServerOptions): void {
  if ((options.accessKeyId === null) !== (options.accessKeySecret === null)) {
    throw wrongUsage('--access-key-id and --access-key-secret go together: give both or neither');
  }
  const listeners: readonly (readonly [string, string, number | null])[] = [
    ['--gateway-port', options.host, options.gatewayPort],
    ['--gateway-tls-port', options.host, options.gatewayTlsPort],
    ['--http-port', options.host, options.httpPort],
    ['--api-port', options.apiHost, options.apiPort],
  ];
  const seen = new Map<number, string>();
  for (const [flag, , port] of listeners) {
    if (port === null || port === 0) continue;
    const other = seen.get(port);
    if (other !== undefined)
      throw wrongUsage(`${other} and ${flag} are both ${port}; each listener needs its own port`);
    seen.set(port, flag);
  }
}

function itemsOf(given: Given | null): string[] {
  const items = (given?.value ?? '').split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

function parseBlocks(given: Given | null): string[] {
  const blocks = itemsOf(given);
  for (const block of blocks) {
    if (parseBlock(block) === null)
      throw wrongUsage(`${given?.from} takes addresses and CIDR blocks such as 10.0.0.0/8, not '${block}'`);
  }
  return blocks;
}

/** As many as the launcher takes. */
const allowedNetworksLimit = 32;

/** Errors: wrong usage for an IPv6 block too: functions have no IPv6. */
function parseIpv4Blocks(given: Given | null): string[] {
  const blocks = parseBlocks(given);
  const other = blocks.find((block) => block.includes(':'));
  if (other !== undefined) throw wrongUsage(`${given?.from} takes IPv4 only, not '${other}': functions have no IPv6`);
  if (blocks.length <= allowedNetworksLimit) return blocks;
  throw wrongUsage(`${given?.from} takes at most ${allowedNetworksLimit} blocks`);
}

/** Null: not given. */
function parseCount(given: Given | null): number | null {
  if (given === null) return null;
  if (/^[1-9]\d{0,8}$/.test(given.value)) return Number(given.value);
  throw wrongUsage(`${given.from} takes a whole number from 1, not '${given.value}'`);
}

/** Errors: wrong usage for an address that is none, headers without a name, a share outside 0 to 1, and for either without an address. */
function parseTraces(endpoint: Given | null, headers: Given | null, ratio: Given | null): ServerOptions['traces'] {
  if (endpoint === null) {
    const alone = headers ?? ratio;
    if (alone === null) return null;
    throw wrongUsage(`${alone.from} says how traces are sent, and --trace-endpoint where: give both`);
  }
  const isUrl = URL.canParse(endpoint.value) && /^https?:\/\//.test(endpoint.value);
  if (!isUrl)
    throw wrongUsage(`${endpoint.from} takes an address such as http://localhost:4318, not '${endpoint.value}'`);
  const share = ratio === null ? 1 : Number(ratio.value);
  if (!(share >= 0 && share <= 1)) throw wrongUsage(`${ratio?.from} takes a number from 0 to 1, not '${ratio?.value}'`);
  const pairs = itemsOf(headers).map((item): [string, string] => {
    const [, name, value] = /^([A-Za-z0-9-]+)=([\x20-\x7e]*)$/.exec(item) ?? [];
    if (name === undefined || value === undefined) throw wrongUsage(`${headers?.from} takes name=value, a comma list`);
    return [name, value];
  });
  return { endpoint: endpoint.value, headers: Object.fromEntries(pairs), ratio: share };
}

function parseUpTo(given: Given | null, fallback: number, most: number): number {
  const count = parseCount(given) ?? fallback;
  if (count <= most) return count;
  throw wrongUsage(`${given?.from} takes a number from 1 to ${most}, not '${given?.value}'`);
}

function parseHttpsPolicy(given: Given | null): HttpsPolicy {
  if (given === null) return 'HTTPS2_TLS1_2';
  if (isHttpsPolicy(given.value)) return given.value;
  throw wrongUsage(`${given.from} takes one of ${Object.keys(httpsPolicies).join(', ')}, not '${given.value}'`);
}

const targetPattern = /^([^\s/=,]+\/[^\s/=,]+)=(\[?[A-Za-z0-9.:_-]+\]?)$/;

function parseVpcTargets(given: Given | null): Record<string, string> {
  const targets: Record<string, string> = {};
  for (const item of itemsOf(given)) {
    const [, place, host] = targetPattern.exec(item) ?? [];
    if (place === undefined || host === undefined) {
      throw wrongUsage(`${given?.from} takes vpcId/instanceId=host (without a port), not '${item}'`);
    }
    targets[place] = host;
  }
  return targets;
}

function parsePort(given: Given | null, fallback: number): number {
  if (given === null) return fallback;
  const port = /^\d{1,5}$/.test(given.value) ? Number(given.value) : Number.NaN;
  if (!(port <= 65_535)) throw wrongUsage(`${given.from} takes a port from 0 to 65535, not '${given.value}'`);
  return port;
}

function parseLimit(given: Given | null): number | null {
  if (given === null) return null;
  if (!/^[1-9]\d{0,8}$/.test(given.value)) throw wrongUsage(`${given.from} takes a number, not '${given.value}'`);
  return Number(given.value);
}

function parseHost(given: Given | null): string {
  if (given === null) return '127.0.0.1';
  if (!/^[A-Za-z0-9.:%_-]+$/.test(given.value)) {
    throw wrongUsage(`${given.from} takes an address or a host name, not '${given.value}'`);
  }
  return given.value;
}

function parseMatching(given: Given | null, pattern: RegExp, wanted: string): string | null {
  if (given === null) return null;
  if (!pattern.test(given.value)) throw wrongUsage(`${given.from} takes ${wanted}, not '${given.value}'`);
  return given.value;
}

/** Errors: wrong usage for what is no role's ARN. */
function parseRoles(given: Given | null, mode: 'start' | 'dev'): readonly string[] | null {
  if (given === null) return mode === 'dev' ? null : [];
  if (given.value === '*') return null;
  const roles = given.value.split(',').map((role) => role.trim());
  const wrong = roles.find((role) => !/^acs:ram::\d*:role\/[\w.@/-]+$/.test(role));
  if (wrong !== undefined) {
    throw wrongUsage(`${given.from} takes role ARNs such as acs:ram::1234567890123456:role/name, or *, not '${wrong}'`);
  }
  return roles;
}

function parseIsolation(given: Given | null): IsolationTier | null {
  if (given === null) return null;
  const tier = isolationTiers.find((name) => name === given.value);
  if (tier === undefined) {
    throw wrongUsage(`${given.from} takes one of ${isolationTiers.join(', ')}, not '${given.value}'`);
  }
  return tier;
}

function parseNetwork(given: Given | null): NetworkMode | null {
  if (given === null) return null;
  const mode = networkModes.find((name) => name === given.value);
  if (mode !== undefined) return mode;
  throw wrongUsage(`${given.from} takes one of ${networkModes.join(', ')}, not '${given.value}'`);
}

function parseSwitch(given: Given | null, fallback: boolean): boolean {
  if (given === null) return fallback;
  switch (given.value.toLowerCase()) {
    case 'true':
    case '1':
    case 'yes':
      return true;
    case 'false':
    case '0':
    case 'no':
      return false;
    default:
      throw wrongUsage(`${given.from} takes true or false, not '${given.value}'`);
  }
}
