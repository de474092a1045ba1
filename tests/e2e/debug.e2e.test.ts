// `yunmen dev --debug`: a scripted session with each language's own debugger, of functions from folders and from archives: a
// request stops at a breakpoint for longer than the function's and the API's time limits, a variable is read, the request
// gets its answer; the code changes, and the debugger attaches again.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { installOnce, run } from '../../conformance/kit/toolchain.ts';
import { isTorture } from '../../scripts/test/torture.ts';
import { chooseInterpreter, findInterpreters } from '../../src/functions/index.ts';
import { buildJavaFixtures, javaLibraries, noJava } from '../contract/java-function.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, startServer, temporaryDirectory } from '../harness/server.ts';
import { Dbgp, DebugAdapter, type Debugger, Inspector, Jdb, type Launch } from './debug-clients.ts';

const execute = promisify(execFile);
const found = await findInterpreters();
const pathOf = (runtime: string) => {
  const choice = chooseInterpreter(runtime, found, true);
  return choice.ok ? (choice.interpreter?.path ?? null) : null;
};

type Case = {
  readonly language: string;
  readonly runtime: string;
  readonly handler: string;
  /** Below the project's folder: the file that one edits, and what CodeUri can be. */
  readonly file: string;
  readonly codeUris: readonly string[];
  /** The line after which `answer` holds the text, and the source with it. */
  readonly line: number;
  source(text: string): string;
  /** Puts the source in its place and makes of it what is deployed. */
  build(directory: string, codeUri: string, text: string): Promise<void>;
  readonly environment: Readonly<Record<string, string>>;
  open(launch: Launch): Debugger;
  readonly skip: string | false;
};

const gatewayAnswer = (answer: string) => `{"isBase64Encoded":false,"statusCode":200,"headers":{},"body":"${answer}"}`;

/** The source at its place, and its folder as a zip where that is what is deployed. */
async function buildScript(this: Case, directory: string, codeUri: string, text: string): Promise<void> {
  const path = join(directory, this.file);
  mkdirSync(dirname(path), { recursive: true });
  const more = phpExtension === null || this.language !== 'PHP' ? {} : { 'extension/xdebug.ini': phpExtension };
  for (const [name, content] of Object.entries(more)) {
    mkdirSync(dirname(join(dirname(path), name)), { recursive: true });
    writeFileSync(join(dirname(path), name), content);
  }
  writeFileSync(path, this.source(text));
  if (!codeUri.endsWith('.zip')) return;
  mkdirSync(dirname(join(directory, codeUri)), { recursive: true });
  const name = this.file.split('/').at(-1) ?? '';
  writeFileSync(join(directory, codeUri), Buffer.from(await zipped({ [name]: this.source(text), ...more }), 'base64'));
}

/** As Maven does: classes with line numbers and names of variables, libraries in lib, all of it in a jar. */
async function buildJava(this: Case, directory: string, codeUri: string, text: string): Promise<void> {
  await buildJavaFixtures();
  const path = join(directory, this.file);
  const classes = join(directory, codeUri.endsWith('.jar') ? 'target/classes' : codeUri);
  mkdirSync(dirname(path), { recursive: true });
  mkdirSync(join(classes, 'lib'), { recursive: true });
  writeFileSync(path, this.source(text));
  cpSync(javaLibraries, join(classes, 'lib'), { recursive: true });
  const tools = dirname(pathOf('java11') ?? '');
  await execute(join(tools, 'javac'), ['-g', '-cp', join(classes, 'lib/*'), '-d', classes, path]);
  if (codeUri.endsWith('.jar'))
    await execute(join(tools, 'jar'), ['--create', '--file', join(directory, codeUri), '-C', classes, '.']);
}

const php = pathOf('php7.2');
const asksXdebug = ['-r', 'exit(function_exists("xdebug_connect_to_client") ? 0 : 1);'];
const hasXdebug = php !== null && (await run(php, asksXdebug)).code === 0;
/** Where the extension is there and not switched on: the function's own settings switch it on. */
const canXdebug = php !== null && (await run(php, ['-d', 'zend_extension=xdebug', ...asksXdebug])).code === 0;
const phpExtension = hasXdebug ? null : 'zend_extension=xdebug\n';

const python = pathOf('python3.10');
const debugpy =
  python === null
    ? ({ ok: false, why: 'no Python on this machine' } as const)
    : await installOnce('debugpy', `debugpy==1.8.17 ${python}`, (folder) => {
        const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, 'debugpy==1.8.17'];
        return run(python, args, { cwd: folder, limitMs: 240_000 });
      });

const cases: readonly Case[] = [
  {
    language: 'Node',
    runtime: 'nodejs20',
    handler: 'index.handler',
    file: 'code/index.js',
    codeUris: ['./code', './dist/code.zip'],
    line: 3,
    source: (text) => `exports.handler = (event, context, callback) => {
  const answer = '${text}';
  callback(null, JSON.stringify({ isBase64Encoded: false, statusCode: 200, headers: {}, body: answer }));
};
`,
    build: buildScript,
    environment: {},
    open: (launch) => new Inspector(launch),
    skip: false,
  },
  {
    language: 'Python',
    runtime: 'python3.10',
    handler: 'index.handler',
    file: 'src/index.py',
    codeUris: ['./src', './code.zip'],
    line: 4,
    source: (text) => `import json
def handler(event, context):
    answer = '${text}'
    return json.dumps({'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': answer})
`,
    build: buildScript,
    environment: debugpy.ok ? { PYTHONPATH: debugpy.path } : {},
    open: (launch) => new DebugAdapter(launch),
    skip: debugpy.ok ? false : debugpy.why,
  },
  {
    language: 'Java',
    runtime: 'java11',
    handler: 'example.Answers::handleRequest',
    file: 'src/main/java/example/Answers.java',
    codeUris: ['./target/classes', './target/app.jar'],
    line: 9,
    source: (text) => `package example;
import com.aliyun.fc.runtime.Context;
import com.aliyun.fc.runtime.StreamRequestHandler;
import java.io.*;
public class Answers implements StreamRequestHandler {
  @Override
  public void handleRequest(InputStream in, OutputStream out, Context context) throws IOException {
    String answer = "${text}";
    out.write("${gatewayAnswer('%s').replaceAll('"', '\\"')}".formatted(answer).getBytes());
  }
}
`,
    build: buildJava,
    environment: {},
    open: (launch) => new Jdb(launch, pathOf('java11') ?? ''),
    skip: noJava,
  },
  {
    language: 'PHP',
    runtime: 'php7.2',
    handler: 'index.handler',
    file: 'code/index.php',
    codeUris: ['./code', './code.zip'],
    line: 4,
    source: (text) => `<?php
function handler($event, $context) {
    $answer = '${text}';
    return '{"isBase64Encoded":false,"statusCode":200,"headers":{},"body":"' . $answer . '"}';
}
`,
    build: buildScript,
    environment: {},
    open: (launch) => new Dbgp(launch),
    skip: php === null ? 'no PHP on this machine' : !canXdebug && 'PHP has no Xdebug (Debian: php-xdebug)',
  },
];

const trigger = `      Events:
        web: { Type: HTTP, Properties: { AuthType: ANONYMOUS, Methods: [GET] } }
`;

/** One function whose time limit is one second, behind an API that waits for one second. */
function template({ runtime, handler, environment }: Case, codeUri: string, events: string): string {
  return `ROSTemplateFormatVersion: '2015-09-01'
Transform: 'Aliyun::Serverless-2018-04-03'
Resources:
  s:
    Type: 'Aliyun::Serverless::Service'
    f:
      Type: 'Aliyun::Serverless::Function'
      Properties:
        Runtime: ${runtime}
        Handler: ${handler}
        CodeUri: ${codeUri}
        MemorySize: 256
        Timeout: 1
        EnvironmentVariables: ${JSON.stringify(environment)}
${events}  group:
    Type: 'Aliyun::Serverless::Api'
    Properties:
      StageName: RELEASE
      DefinitionBody:
        paths:
          /f:
            get:
              x-aliyun-apigateway-api-name: debugged
              x-aliyun-apigateway-auth-type: ANONYMOUS
              x-aliyun-apigateway-fc:
                arn: acs:fc:::services/s/functions/f/
                timeout: 1000
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

/** `yunmen dev --debug f` on the project of the case. */
async function open(cleanup: Cleanup, directory: string, codeUri: string, it: Case, events = '') {
  writeFileSync(join(directory, 'template.yml'), template(it, codeUri, events));
  await it.build(directory, codeUri, 'one');
  const port = await freePort();
  const command = ['dev', directory, '--debug', 'f', '--debug-port', String(port)];
  const server = await startServer(cleanup, command, join(directory, '.yunmen'));
  // What Node prints about its debugger comes as output, perhaps before.
  const isReady = (event: object): event is { launch: Launch } => 'launch' in event;
  while (!server.events.some(isReady)) await sleep(20);
  const [{ launch }] = server.events.filter(isReady) as [{ launch: Launch }];
  const url = `${server.ready.gateway}/f`;
  const call = async () => {
    const response = await fetch(url);
    return response.status === 200 ? await response.text() : `${response.status} ${await response.text()}`;
  };
  return { server, launch, call };
}

/** Longer than function and API wait. */
const aboveLimitsMs = 2_500;

// Two at a time: most of each is waiting.
describe('a debugger', { concurrency: 2 }, () => {
  for (const it of cases) {
    for (const codeUri of isTorture ? it.codeUris : it.codeUris.slice(0, 1)) {
      const name = `${it.language}, from ${codeUri}: stops a call beyond its limits, and attaches again after a reload`;
      test(name, { skip: it.skip, timeout: 120_000 }, async (t) => {
        const cleanup = new Cleanup();
        t.after(() => cleanup.run());
        const directory = realpathSync(temporaryDirectory(cleanup));
        const { launch, call, server } = await open(cleanup, directory, codeUri, it);
        let former: Debugger | null = null;
        for (const text of ['one', 'two']) {
          if (former !== null) {
            await it.build(directory, codeUri, text);
            // The editor is still attached: the instance goes, and its session with it.
            await former.ended;
            former.close();
          }
          const client = it.open(launch);
          cleanup.after(() => client.close());
          await client.attach(join(directory, it.file), it.line);
          const answer = call();
          await client.stopped();
          await sleep(aboveLimitsMs);
          assert.equal(await client.read('answer'), text, server.log());
          client.go();
          assert.equal(await answer, text);
          former = client;
        }
      });
    }
  }

  test('outlives a reload at its breakpoint; a call to the new code waits until it goes on, and finds the debugger again', {
    timeout: 120_000,
  }, async (t) => {
    const [it] = cases as [Case];
    const cleanup = new Cleanup();
    t.after(() => cleanup.run());
    const directory = realpathSync(temporaryDirectory(cleanup));
    const { launch, call, server } = await open(cleanup, directory, './code', it);
    const client = it.open(launch);
    cleanup.after(() => client.close());
    await client.attach(join(directory, it.file), it.line);
    const old = call();
    await client.stopped();
    for (const text of ['two', 'three']) {
      const before = server.events.length;
      await it.build(directory, './code', text);
      while (server.events.length === before) await sleep(50);
    }
    const waiting = call();
    await sleep(aboveLimitsMs);
    assert.equal(await client.read('answer'), 'one');
    client.go();
    assert.equal(await old, 'one');
    await client.ended;
    const next = it.open(launch);
    cleanup.after(() => next.close());
    await next.attach(join(directory, it.file), it.line);
    // It is answered before the breakpoint is there, or stands at it.
    const stop = next.stopped();
    const early = await Promise.race([waiting, stop]);
    const held = early === undefined ? waiting : call();
    await stop;
    assert.equal(await next.read('answer'), 'three');
    next.go();
    assert.deepEqual([early ?? 'three', await held], ['three', 'three']);
  });

  test('holds a call of a function URL beyond its limit, and those that come meanwhile wait behind it', {
    timeout: 120_000,
  }, async (t) => {
    const cleanup = new Cleanup();
    t.after(() => cleanup.run());
    const directory = realpathSync(temporaryDirectory(cleanup));
    const handler = `exports.handler = (request, response) => {
  const answer = request.queries.x;
  response.send(answer);
};
`;
    const [node] = cases as [Case];
    const it: Case = { ...node, line: 3, source: () => handler };
    const { launch, server } = await open(cleanup, directory, './code', it, trigger);
    const url = `${server.ready.api}/2016-08-15/proxy/s/f/`;
    const call = async (x: string) => (await fetch(`${url}?x=${x}`)).text();
    const client = it.open(launch);
    cleanup.after(() => client.close());
    await client.attach(join(directory, it.file), it.line);
    const calls = ['one', 'two', 'three'].map(call);
    for (let stop = 0; stop < calls.length; stop += 1) {
      await client.stopped();
      if (stop === 0) await sleep(aboveLimitsMs);
      assert.match(await client.read('answer'), /one|two|three/);
      client.go();
    }
    assert.deepEqual(await Promise.all(calls), ['one', 'two', 'three']);
  });
});
