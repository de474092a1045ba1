import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { PublishedFunction } from '../../src/model/published.ts';
import { ossSignature, ossStringsToSign } from '../../src/wire/oss-signature.ts';
import { at, fc2Sdk, type Loose, type Plane, startPlane, textAt, zipped } from './control-fixture.ts';

const require = createRequire(import.meta.url);
type Oss = {
  put(name: string, content: Buffer): Promise<{ res: { status: number; headers: Record<string, string> } }>;
  get(name: string): Promise<unknown>;
};

type Token = { readonly bucket: string; readonly object: string; readonly answer: Loose };

describe('uploads to the temporary bucket', () => {
  let plane: Plane;
  let zip: Buffer;
  before(async () => {
    plane = await startPlane();
    zip = Buffer.from(await zipped({ 'index.py': 'def handler(event, context): return "uploaded"\n' }), 'base64');
  });
  after(() => plane.close());

  const fc2 = async (name: string, ...args: unknown[]): Promise<Loose> => {
    const sdk = fc2Sdk(plane);
    const method = sdk[name];
    assert.ok(method !== undefined, name);
    return await method.apply(sdk, args);
  };
  async function token(service?: string): Promise<Token> {
    const answer =
      service === undefined
        ? await fc2('getTempBucketToken')
        : await fc2('get', `/services/${service}/tempCodeBucketToken`, { functionName: 'f', instanceType: 'e1' });
    const folder = service === undefined ? '' : `${service}/`;
    const object = `${plane.credentials.accountId}/${folder}${textAt(answer, 'data.objectName')}`;
    return { bucket: textAt(answer, 'data.ossBucket'), object, answer };
  }
  /** The official client, pointed at us; `extra` says how it is to find the bucket. */
  function oss({ answer, bucket }: Token, extra: object = {}): Oss {
    const Client = require('ali-oss') as new (options: object) => Oss;
    return new Client({
      endpoint: plane.url.origin,
      bucket,
      accessKeyId: textAt(answer, 'data.credentials.AccessKeyId'),
      accessKeySecret: textAt(answer, 'data.credentials.AccessKeySecret'),
      stsToken: textAt(answer, 'data.credentials.SecurityToken'),
      retryMax: 0,
      ...extra,
    });
  }
  const createFunction = async (service: string, functionName: string, { bucket, object }: Token) =>
    await fc2('createFunction', service, {
      functionName,
      handler: 'index.handler',
      runtime: 'python3',
      code: { ossBucketName: bucket, ossObjectName: object },
    });
  const sha256 = () => createHash('sha256').update(zip).digest('hex');
  const codeOf = async (key: string) =>
    ((await plane.published()).get(`function ${key}`) as PublishedFunction | undefined)?.code.sha256;
  const leftovers = () => readdirSync(join(plane.dataDir, 'uploads')).filter((name) => name.startsWith('tmp-'));

  /** A PUT by hand, signed as the client signs; `change` may spoil it. */
  function put(
    given: Token,
    { path, change = {}, body = zip }: { path?: string; change?: Record<string, string>; body?: Buffer } = {},
  ): Promise<{ status: number; text: string }> {
    const headers: Record<string, string> = {
      date: new Date().toUTCString(),
      'content-type': 'application/zip',
      'x-oss-security-token': textAt(given.answer, 'data.credentials.SecurityToken'),
      ...change,
    };
    const [text = ''] = ossStringsToSign('PUT', headers, `/${given.bucket}/${given.object}`);
    const signature = ossSignature(textAt(given.answer, 'data.credentials.AccessKeySecret'), text);
    const authorization = `OSS ${textAt(given.answer, 'data.credentials.AccessKeyId')}:${signature}`;
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: plane.url.hostname,
          port: plane.url.port,
          method: 'PUT',
          path: path ?? `/${given.object}`,
          headers: { authorization, ...headers },
          agent: false,
        },
        (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (part: string) => {
            text += part;
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
        },
      );
      call.on('error', reject).end(body);
    });
  }

  it('the official client uploads with the token, and the object becomes the code of a function', async () => {
    await fc2('createService', 'up');
    const given = await token();
    assert.match(textAt(given.answer, 'data.credentials.Expiration'), /^\d{4}-.*Z$/);
    assert.match(textAt(given.answer, 'data.ossRegion'), /^oss-/);
    const { res } = await oss(given).put(given.object, zip);
    assert.equal(res.status, 200);
    assert.equal(res.headers['etag'], `"${createHash('md5').update(zip).digest('hex').toUpperCase()}"`);
    await createFunction('up', 'a', given);
    assert.equal(await codeOf('up/a'), sha256());
  });

  it('the bucket may be in the path, in Host, or nowhere', async () => {
    for (const [name, extra] of [
      ['in-path', { sldEnable: true }],
      ['nowhere', {}],
      ['signed-by-4', { authorizationV4: true, region: 'oss-cn-hangzhou' }],
    ] as const) {
      const given = await token('up');
      assert.equal(typeof at(given.answer, 'data.codeSizeLimit'), 'number');
      await oss(given, extra).put(given.object, zip);
      await createFunction('up', name, given);
      assert.equal(await codeOf(`up/${name}`), sha256());
    }
    const given = await token();
    const host = { host: `${given.bucket}.oss-cn-hangzhou.aliyuncs.com` };
    assert.equal((await put(given, { change: host })).status, 200);
    await fc2('updateFunction', 'up', 'a', { code: { ossBucketName: given.bucket, ossObjectName: given.object } });
    assert.equal(await codeOf('up/a'), sha256());
  });

  it('a token opens one object, for writing, once it is signed right and in time', async () => {
    const given = await token();
    const rows: [string, number, Parameters<typeof put>[1]][] = [
      ['AccessDenied', 403, { path: `/${plane.credentials.accountId}/other` }],
      ['RequestTimeTooSkewed', 403, { change: { date: new Date(Date.now() - 20 * 60_000).toUTCString() } }],
      ['InvalidAccessKeyId', 403, { change: { 'x-oss-security-token': 'nonsense' } }],
      ['InvalidDigest', 400, { change: { 'content-md5': createHash('md5').update('x').digest('base64') } }],
      ['NotImplemented', 501, { path: `/${given.object}?uploads` }],
    ];
    for (const [code, status, options] of rows) {
      const answer = await put(given, options);
      assert.equal(answer.status, status, `${code}: ${answer.text}`);
      assert.match(answer.text, new RegExp(`<Code>${code}</Code>`));
    }
    const wrong = { ...given, object: `${given.object}x` };
    assert.match((await put(wrong, { path: `/${given.object}` })).text, /<Code>SignatureDoesNotMatch</);
    await assert.rejects(oss(given).get(given.object), { status: 405 });
    await fc2('createService', 'none');
    await assert.rejects(createFunction('none', 'f', given), /does not exist, or is too old/);
    await assert.rejects(createFunction('none', 'f', { ...given, bucket: 'mine' }), /is not known here/);
    assert.deepEqual(leftovers(), []);
    assert.deepEqual(plane.logged, []);
  });

  it('an upload that breaks off leaves nothing, and the object it was to replace stays', async () => {
    const given = await token();
    await oss(given).put(given.object, zip);
    const headers = {
      date: new Date().toUTCString(),
      'x-oss-security-token': textAt(given.answer, 'data.credentials.SecurityToken'),
    };
    const [text = ''] = ossStringsToSign('PUT', headers, `/${given.bucket}/${given.object}`);
    const signature = ossSignature(textAt(given.answer, 'data.credentials.AccessKeySecret'), text);
    const id = textAt(given.answer, 'data.credentials.AccessKeyId');
    const lines = [
      `PUT /${given.object} HTTP/1.1`,
      'host: h',
      'content-length: 100000',
      `authorization: OSS ${id}:${signature}`,
    ];
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    const socket = connect(Number(plane.url.port), plane.url.hostname);
    socket.write(`${lines.join('\r\n')}\r\n\r\nhalf`);
    while (leftovers().length === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    while (leftovers().length > 0) await new Promise((resolve) => setImmediate(resolve));
    await createFunction('up', 'kept', given);
    assert.equal(await codeOf('up/kept'), sha256());
    assert.deepEqual(plane.logged, []);
  });
});
