// The DefinitionBody of an API group: Swagger 2 paths whose operations carry x-aliyun-apigateway-* extensions.
// Source: docs; vocabulary of the FC template tool.
import type { YamlReader } from './yaml-reader.ts';

/** A declared parameter of an operation. `wire` is what CreateApi gets, names as in the wire's PascalCase. */
export type ParameterTemplate = {
  readonly name: string;
  readonly location: string;
  readonly type: string;
  /** A value to show in examples; null when the template has none. */
  readonly sample: string | null;
  readonly wire: Readonly<Record<string, unknown>>;
};

export type FunctionReference = {
  /** null for an FC 3 function. */
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly qualifier: string | null;
};

/** One operation. `wire` holds the CreateApi parameters that are plain copies: name → text or JSON value. */
export type ApiTemplate = {
  readonly name: string;
  /** Upper case; `ANY` for every method. */
  readonly method: string;
  /** With `[name]` parameters. */
  readonly path: string;
  readonly auth: string;
  readonly target: FunctionReference;
  readonly timeoutMs: number;
  readonly roleArn: string | null;
  readonly requestConfig: Readonly<Record<string, unknown>>;
  readonly parameters: readonly ParameterTemplate[];
  readonly serviceParameters: readonly Readonly<Record<string, unknown>>[];
  readonly mappings: readonly Readonly<Record<string, unknown>>[];
  readonly wire: Readonly<Record<string, unknown>>;
};

const prefix = 'x-aliyun-apigateway-';
/** What the template tool uses when an operation does not say. Source: docs. */
const defaultTimeoutMs = 3_000;

/** Extension → CreateApi parameter, copied as text (scalars) or JSON (lists and maps). */
const copied = {
  visibility: 'Visibility',
  'result-type': 'ResultType',
  'result-sample': 'ResultSample',
  'fail-result-sample': 'FailResultSample',
  description: 'Description',
  'force-nonce-check': 'ForceNonceCheck',
  'app-code-auth-type': 'AppCodeAuthType',
  'allow-signature-method': 'AllowSignatureMethod',
  'disable-internet': 'DisableInternet',
  'websocket-api-type': 'WebSocketApiType',
  'error-code-sample': 'ErrorCodeSamples',
  'open-id-connect-config': 'OpenIdConnectConfig',
  'openid-connect-config': 'OpenIdConnectConfig',
  'constant-parameters': 'ConstantParameters',
  'system-parameters': 'SystemParameters',
} as const satisfies Record<string, string>;

const methodKeys = new Map<string, string>([
  ...['get', 'post', 'put', 'delete', 'patch', 'head', 'options'].map((key): [string, string] => [
    key,
    key.toUpperCase(),
  ]),
  ['any', 'ANY'],
  [`${prefix}any-method`, 'ANY'],
]);
/** Members that only document; they change nothing here or in the cloud. */
const documentation = new Set([
  'summary',
  'description',
  'tags',
  'responses',
  'operationId',
  'deprecated',
  'externalDocs',
]);
const definitionHead = new Set([
  'swagger',
  'openapi',
  'info',
  'host',
  'definitions',
  'components',
  'tags',
  'externalDocs',
]);

/** Every operation of a definition, in the order written. Paths stand at the top or under `paths`. Problems go to the reader's file. */
export function readDefinition(definition: YamlReader): ApiTemplate[] {
  const basePath = (definition.text('basePath') ?? '').replace(/\/+$/, '');
  const apis: ApiTemplate[] = [];
  const paths = definition.at('paths');
  for (const holder of [definition, paths]) {
    for (const path of holder.names.filter((name) => name.startsWith('/'))) {
      apis.push(...readPath(basePath + path.replace(/\{([^}]+)\}/g, '[$1]'), holder.at(path)));
    }
  }
  if (apis.length === 0 && definition.isMap()) definition.error('the definition has no operation');
  paths.warnUnread('paths');
  definition.warnUnread('the definition', definitionHead);
  const names = new Set<string>();
  for (const api of apis) {
    if (names.has(api.name))
      definition.error(`two operations are named ${api.name}; give each its own ${prefix}api-name`);
    names.add(api.name);
  }
  return apis;
}

function readPath(path: string, item: YamlReader): ApiTemplate[] {
  const apis: ApiTemplate[] = [];
  for (const key of item.names) {
    const method = methodKeys.get(key.toLowerCase());
    if (method === undefined) continue;
    const operation = item.at(key);
    if (operation.isMap()) apis.push(readOperation(path, method, operation));
    else operation.error(`${key} of ${path} must be a map`);
  }
  item.warnUnread(path);
  return apis;
}

function readOperation(path: string, method: string, operation: YamlReader): ApiTemplate {
  const at = (name: string) => operation.at(prefix + name);
  const backend = at('fc');
  const target = parseFunctionArn(backend.text('arn') ?? '');
  if (target === null) {
    const wanted = 'acs:fc:::services/<service>/functions/<function>/';
    operation.error(`${method} ${path} needs ${prefix}fc with an arn like ${wanted}`);
  }
  const api: ApiTemplate = {
    name: operation.text(`${prefix}api-name`) ?? defaultName(path, method),
    method,
    path,
    auth: operation.text(`${prefix}auth-type`)?.toUpperCase() ?? 'ANONYMOUS',
    target: target ?? { serviceName: null, functionName: '', qualifier: null },
    timeoutMs: backend.integer('timeout', 1, 600_000) ?? defaultTimeoutMs,
    roleArn: backend.text('role'),
    requestConfig: wireNames(at('request-config').value),
    parameters: operation.list(`${prefix}request-parameters`).map(readParameter),
    serviceParameters: operation.list(`${prefix}service-parameters`).map((each) => wireNames(each.value)),
    mappings: operation.list(`${prefix}service-parameters-map`).map((each) => wireNames(each.value)),
    wire: readCopied(operation),
  };
  backend.warnUnread(`${prefix}fc of ${method} ${path}`);
  operation.warnUnread(`${method} ${path}`, documentation);
  return api;
}

function readCopied(operation: YamlReader): Record<string, unknown> {
  const wire: Record<string, unknown> = {};
  for (const [extension, parameter] of Object.entries(copied)) {
    const { value } = operation.at(prefix + extension);
    if (value === undefined || value === null) continue;
    wire[parameter] = Array.isArray(value)
      ? value.map(wireNames)
      : typeof value === 'object'
        ? wireNames(value)
        : value;
  }
  return wire;
}

function readParameter(parameter: YamlReader): ParameterTemplate {
  const name = parameter.requiredText('apiParameterName');
  const location = parameter.text('location')?.toUpperCase() ?? 'QUERY';
  const type = parameter.text('parameterType') ?? 'String';
  const required = parameter.text('required')?.toUpperCase() ?? 'OPTIONAL';
  const wire = { ...wireNames(parameter.value), ApiParameterName: name, Location: location, ParameterType: type };
  const sample = parameter.text('demoValue') ?? parameter.text('defaultValue');
  return { name, location, type, sample, wire: { ...wire, Required: required === 'TRUE' ? 'REQUIRED' : required } };
}

/**
 * The function that an ARN names; null when it is none. `${name.Arn}` stands for `name`.
 * Shapes: `acs:fc:<region>:<account>:services/S[.Q]/functions/F/`, `acs:fc:<region>:<account>:functions/F[/Q]`.
 */
export function parseFunctionArn(arn: string): FunctionReference | null {
  const [acs, product, , , ...rest] = arn.split(':');
  if (acs !== 'acs' || product !== 'fc') return null;
  const plain = rest.join(':').replace(/\$\{([^}]+?)(?:\.Arn)?\}/g, '$1');
  const parts = plain.replace(/^\/+|\/+$/g, '').split('/');
  if (parts[0] === 'services' && parts[1] && parts[2] === 'functions' && parts[3] && parts.length === 4) {
    const [serviceName = '', qualifier = ''] = parts[1].split('.');
    return { serviceName, functionName: parts[3], qualifier: qualifier === '' ? null : qualifier };
  }
  if (parts[0] === 'functions' && parts[1] && parts.length <= 3) {
    return { serviceName: null, functionName: parts[1], qualifier: parts[2] ?? null };
  }
  return null;
}

/** `/pets/[id]` and GET → `pets_id_get`. */
function defaultName(path: string, method: string): string {
  const words = path.split(/[^\p{L}\p{N}_-]+/u).filter((word) => word !== '');
  return [...(words.length === 0 ? ['root'] : words), method.toLowerCase()].join('_');
}

/** A copy of a map with the first letter of each name in upper case, as the wire spells them. */
function wireNames(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name.charAt(0).toUpperCase() + name.slice(1), each]),
  );
}
