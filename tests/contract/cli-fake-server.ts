// A tiny stand-in for a server, for the tests of the command line: answers the API actions that it uses from memory
// and notes every request. It checks signatures as the real listener does, so a wrongly signed call fails here too.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseV3Authorization, v3AcceptedSignatures } from '../../src/wire/openapi-signature-v3.ts';
import { parseQuery, splitTarget } from '../../src/wire/percent-encoding.ts';

export const fakeKey = { accessKeyId: 'testid', accessKeySecret: 'testsecret' };

export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly action: string;
  readonly body: Buffer;
  /** Form parameters, for RPC calls. */
  readonly form: Readonly<Record<string, string>>;
};

export type FakeAnswer = {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string | Buffer;
};
/** Answers a request itself, or leaves it to the built-in actions by returning null. */
export type FakeHandler = (request: SeenRequest) => FakeAnswer | null;

type Named = Record<string, unknown>;

export class FakeServer {
  readonly seen: SeenRequest[] = [];
  readonly services = new Map<string, Named>();
  readonly functions = new Map<string, Named>();
  readonly groups = new Map<string, string>();
  readonly apis = new Map<string, { groupId: string; wire: Readonly<Record<string, string>> }>();
  readonly apps = new Map<number, { name: string; key: string; secret: string }>();
  readonly grants = new Set<string>();
  handler: FakeHandler = () => null;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #nextId = 1;

  static async open(): Promise<FakeServer> {
    const fake = new FakeServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    const address = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${address.port}`;
  }

  actions(): string[] {
    return this.seen.map((request) => request.action);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const request = readRequest(incoming, Buffer.concat(chunks));
    this.seen.push(request);
    const refused = request.action === '' ? null : checkSignature(request);
    const answer = refused ?? this.handler(request) ?? this.#act(request);
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
    response.end(answer.body);
  }

  #act(request: SeenRequest): FakeAnswer {
    const { action, form } = request;
    const [, , , service = '', , name = ''] = request.path.split('/').map(decodeURIComponent);
    const json: Named = action.endsWith('Function') || action.endsWith('Service') ? parse(request.body) : {};
    switch (action) {
      case 'GetService':
        return found(this.services.get(service), 'ServiceNotFound');
      case 'CreateService':
        this.services.set(String(json['serviceName']), json);
        return ok(json);
      case 'GetFunction':
        return found(this.functions.get(`${service}/${name}`), 'FunctionNotFound');
      case 'CreateFunction':
        this.functions.set(`${service}/${String(json['functionName'])}`, json);
        return ok({ ...json, codeSize: 1 });
      case 'UpdateFunction':
        this.functions.set(`${service}/${name}`, { ...this.functions.get(`${service}/${name}`), ...json });
        return ok(json);
      case 'DescribeApiGroups': {
        const rows = [...this.groups].map(([GroupName, GroupId]) => ({ GroupName, GroupId }));
        return ok({ TotalCount: rows.length, ApiGroupAttributes: { ApiGroupAttribute: rows } });
      }
      case 'CreateApiGroup': {
        const GroupId = this.#newId().toString(16).padStart(32, '0');
        this.groups.set(form['GroupName'] ?? '', GroupId);
        return ok({ GroupId });
      }
      case 'DescribeApis': {
        const rows = [...this.apis].map(([ApiId, { wire }]) => ({ ApiId, ApiName: wire['ApiName'] }));
        return ok({ TotalCount: rows.length, ApiSummarys: { ApiSummary: rows } });
      }
      case 'CreateApi': {
        const ApiId = this.#newId().toString(16).padStart(32, 'a');
        this.apis.set(ApiId, { groupId: form['GroupId'] ?? '', wire: form });
        return ok({ ApiId });
      }
      case 'ModifyApi':
        this.apis.set(form['ApiId'] ?? '', { groupId: form['GroupId'] ?? '', wire: form });
        return ok({});
      case 'DeleteApi':
        this.apis.delete(form['ApiId'] ?? '');
        return ok({});
      case 'DeployApi':
      case 'AbolishApi':
        return ok({});
      case 'SetAppsAuthorities':
        this.grants.add(`${form['ApiId']}/${form['StageName']}/${form['AppIds']}`);
        return ok({});
      case 'DescribeAppAttributes': {
        const rows = [...this.apps].map(([AppId, { name: AppName }]) => ({ AppId, AppName }));
        return ok({ TotalCount: rows.length, Apps: { AppAttribute: rows } });
      }
      case 'CreateApp': {
        const AppId = this.#newId();
        this.apps.set(AppId, { name: form['AppName'] ?? '', key: `key${AppId}`, secret: `secret${AppId}` });
        return ok({ AppId });
      }
      case 'DescribeAppSecurity': {
        const app = this.apps.get(Number(form['AppId']));
        return app === undefined ? refusal(400, 'NotFoundApp') : ok({ AppKey: app.key, AppSecret: app.secret });
      }
      default:
        return refusal(404, 'InvalidApi.NotFound');
    }
  }

  #newId(): number {
    return 1_000_000 + this.#nextId++;
  }
}

export function ok(value: Named): FakeAnswer {
  return { status: 200, body: JSON.stringify({ RequestId: 'R', ...value }) };
}

export function refusal(status: number, code: string, message = `no ${code}`): FakeAnswer {
  return { status, body: JSON.stringify({ RequestId: 'R-1', Code: code, Message: message }) };
}

function found(value: Named | undefined, code: string): FakeAnswer {
  return value === undefined ? refusal(404, code) : ok(value);
}

function parse(body: Buffer): Named {
  return body.length === 0 ? {} : (JSON.parse(body.toString()) as Named);
}

function readRequest(incoming: IncomingMessage, body: Buffer): SeenRequest {
  const { path, query } = splitTarget(incoming.url ?? '/');
  const isForm = incoming.headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;
  return {
    method: incoming.method ?? '',
    path,
    query: Object.fromEntries(parseQuery(query ?? '')),
    headers: incoming.headers,
    action: String(incoming.headers['x-acs-action'] ?? ''),
    body,
    form: isForm ? Object.fromEntries(parseQuery(body.toString(), true)) : {},
  };
}

function checkSignature(request: SeenRequest): FakeAnswer | null {
  const given = parseV3Authorization(String(request.headers['authorization'] ?? ''));
  if (given === null || given.accessKeyId !== fakeKey.accessKeyId) return refusal(404, 'InvalidAccessKeyId.NotFound');
  const parts = {
    method: request.method,
    path: request.path,
    query: Object.entries(request.query),
    headers: request.headers,
  };
  const hash = String(request.headers['x-acs-content-sha256'] ?? '');
  const { signatures } = v3AcceptedSignatures(fakeKey.accessKeySecret, parts, given.signedHeaders, hash);
  return signatures.includes(given.signature) ? null : refusal(400, 'SignatureDoesNotMatch');
}
