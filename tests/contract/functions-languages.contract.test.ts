// Functions of every language on a real launcher, in every isolation tier that works here: event and HTTP handlers, an
// initializer and what failing looks like from outside. A new language is a row here.
import assert from 'node:assert/strict';
import { after, before, describe as group, test } from 'node:test';
import { findInterpreters, findSandd, probeIsolation, probeSandd } from '../../src/functions/index.ts';
import type { StartableLanguage } from '../../src/functions/languages.ts';
import type { HttpHandlerCall } from '../../src/model/http-handler.ts';
import { type Code, type Fixture, openFixture } from './functions-fixture.ts';
import { javaFunction, noJava } from './java-function.ts';

const isolation = await probeIsolation();
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;
const found = await findInterpreters();

type Row = {
  readonly language: StartableLanguage;
  readonly runtime: string;
  readonly handler: string;
  readonly initializer: string;
  readonly http: string;
  readonly errorType: string;
  code(): Promise<Code>;
};

const rows: readonly Row[] = [
  {
    language: 'python',
    runtime: 'python3.10',
    handler: 'index.handler',
    initializer: 'index.initialize',
    http: 'index.web',
    errorType: 'ValueError',
    code: async () => ({
      'index.py': `import os
ready = False
def initialize(context):
    global ready
    ready = True
def handler(event, context):
    if event == b'throw': raise ValueError('oops')
    print('working')
    return [event.decode(), ready, os.getcwd()]
def web(environ, start_response):
    start_response('201 Created', [('X-Path', environ['PATH_INFO'])])
    return [environ['wsgi.input'].read()]
`,
    }),
  },
  {
    language: 'node',
    runtime: 'nodejs20',
    handler: 'index.handler',
    initializer: 'index.initialize',
    http: 'index.web',
    errorType: 'RangeError',
    code: async () => ({
      'index.js': `let ready = false;
exports.initialize = (context, callback) => { ready = true; callback(); };
exports.handler = async (event) => {
  if (String(event) === 'throw') throw new RangeError('oops');
  console.log('working');
  return [String(event), ready, process.cwd()];
};
exports.web = (req, resp) => {
  resp.setStatusCode(201);
  resp.setHeader('X-Path', req.path);
  resp.send(req.body);
};
`,
    }),
  },
  {
    language: 'php',
    runtime: 'php7.2',
    handler: 'index.handler',
    initializer: 'index.initialize',
    http: 'index.web',
    errorType: 'RangeException',
    code: async () => ({
      'index.php': `<?php
$ready = false;
function initialize($context) { $GLOBALS['ready'] = true; }
function handler($event, $context) {
    if ($event === 'throw') throw new RangeException('oops');
    echo "working\\n";
    return [$event, $GLOBALS['ready'], getcwd()];
}
function web($request, $context) {
    return new RingCentral\\Psr7\\Response(201, ['X-Path' => $request->getAttribute('path')], $request->getBody());
}
`,
    }),
  },
  {
    language: 'java',
    runtime: 'java11',
    handler: 'example.Twin::handleRequest',
    initializer: 'example.Twin::initialize',
    http: 'example.HttpTwin::handleRequest',
    errorType: 'java.lang.IllegalStateException',
    code: javaFunction,
  },
];

const call: HttpHandlerCall = {
  method: 'POST',
  path: '/a',
  requestUri: '/2016-08-15/proxy/s/f/a',
  clientIp: '192.0.2.7',
  host: 'h',
  headers: ['Content-Type', 'text/plain'],
  query: [],
  basePath: null,
};

for (const tier of ['none', 'user', 'strong']) {
  const missing = isolation.missing.find((each) => each.tier === tier);
  const lacking = missing === undefined ? false : `${missing.why}; ${missing.install}`;
  const skip = tier === 'strong' ? strong !== 'ok' && strong : lacking;

  group(`languages in tier ${tier}`, { skip }, () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture(tier, { idleMs: 60_000 });
    });
    after(async () => {
      await plane.close();
    });

    for (const row of rows) {
      const name = row.language;
      const lacks = found.some(({ language }) => language === name) ? false : `no ${name} on this machine`;
      const none = name === 'java' ? noJava : lacks;

      test(`a ${name} function is initialised, answers, logs, and tells what it threw`, { skip: none }, async () => {
        const code = await row.code();
        const config = { runtime: row.runtime, handler: row.handler, memoryMb: 512, timeoutMs: 20_000 };
        const initializer = { handler: row.initializer, timeoutMs: 20_000 };
        plane.publish(name, code, { ...config, initializer });
        const first = await plane.succeed(name, 'event 云', { tail: true });
        const [event, ready, directory] = JSON.parse(first.body.toString()) as unknown[];
        assert.deepEqual([event, ready], ['event 云', true]);
        if (tier !== 'none') assert.equal(directory, '/code');
        assert.match(
          String(first.logTail),
          /^FC Invoke Start RequestId: .*\n(.*\n)*.*working\nFC Invoke End RequestId: .*\n$/,
        );
        const failed = await plane.fail(name, 'throw');
        const document = JSON.parse(failed.body.toString()) as Record<string, unknown>;
        assert.deepEqual([document['errorMessage'], document['errorType']], ['oops', row.errorType]);
        assert.equal((await plane.succeed(name, 'again')).instanceId, first.instanceId);
      });

      test(`a ${name} function answers an HTTP call`, { skip: none }, async () => {
        const code = await row.code();
        plane.publish(`${name}-web`, code, {
          runtime: row.runtime,
          handler: row.http,
          memoryMb: 512,
          timeoutMs: 20_000,
        });
        const answered = await plane.succeed(`${name}-web`, 'the body', { http: call });
        assert.equal(answered.body.toString(), 'the body');
        assert.equal(answered.http?.status, 201);
        assert.ok(answered.http?.headers.map(String).join('=').includes('X-Path=/a'));
      });
    }
  });
}
