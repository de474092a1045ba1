// Every fixture by name: deployed through the APIs in each language, and called. What each answers in detail, and in which
// isolation tier, is the contract tests' matter.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { installOnce, run } from '../../conformance/kit/toolchain.ts';
import { chooseInterpreter, findInterpreters } from '../../src/functions/index.ts';
import { buildJavaFixtures, noJava } from '../contract/java-function.ts';
import { type Invoked, OpenApi } from '../harness/openapi.ts';
import { filesBelow, packed } from '../harness/package.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, temporaryDirectory } from '../harness/server.ts';

const fixtures = join(root, 'fixtures/functions');
const sixMegabytes = 6 * 1024 * 1024;
const hangsSeconds = 2;

const oddOnes = [
  'echo',
  'throws',
  'hangs',
  'exits',
  'floods',
  'returns6Mb',
  'returnsNothing',
  'printsBinary',
  'spawns',
  'needsLayer',
  'readsCredentials',
] as const;
type Odd = (typeof oddOnes)[number];

type Language = {
  readonly name: string;
  readonly runtime: string;
  /** Base64 of the package. */
  pack(): Promise<string>;
  handler(odd: Odd): string;
  event(odd: Odd): string;
  /** It writes the markers between which the tail of the log lies. */
  readonly hasBootstrap: boolean;
  readonly nothing: string;
  /** What its runtime says of a handler that throws; a custom runtime's server says it itself. */
  readonly thrown: RegExp;
  readonly skip: string | false;
};

const found = await findInterpreters();
const lacks = (runtime: string) => {
  const choice = chooseInterpreter(runtime, found, true);
  return choice.ok ? false : choice.message;
};
const kebab = (name: string) => name.replace(/6Mb|[A-Z]/g, (part) => `-${part.toLowerCase()}`);
const snake = (name: string) => kebab(name).replaceAll('-', '_');
const theEvent = '{"a":"云"}';

/** The fixtures' folder as it is. */
const packFolder = (name: string) => () => {
  const folder = join(fixtures, name);
  return packed(
    folder,
    filesBelow(folder).filter((file) => !file.includes('__pycache__')),
  );
};

const go = await installOnce(
  'fixtures-go',
  `${(await run('go', ['version'])).stdout} ${(await run('sha256sum', [join(fixtures, 'go/main.go')])).stdout}`,
  (folder) =>
    run('go', ['build', '-o', join(folder, 'main'), '.'], {
      cwd: join(fixtures, 'go'),
      env: { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
      limitMs: 240_000,
    }),
);

/** The odd ones are told apart by the handler. */
const byHandler = { hasBootstrap: true, event: () => theEvent };
/** One program of its own, which tells them apart by its event. */
const byEvent = { hasBootstrap: false, event: (odd: Odd) => (odd === 'echo' ? theEvent : `/${kebab(odd)}`) };

const languages: readonly Language[] = [
  {
    name: 'Node',
    runtime: 'nodejs20',
    pack: packFolder('nodejs'),
    handler: (odd) => (odd === 'echo' ? 'echo.handler' : `odd.${odd}`),
    ...byHandler,
    nothing: '',
    thrown: /something is wrong/,
    skip: lacks('nodejs20'),
  },
  {
    name: 'Python',
    runtime: 'python3.10',
    pack: packFolder('python'),
    handler: (odd) => (odd === 'echo' ? 'echo.handler' : `odd.${snake(odd)}`),
    ...byHandler,
    nothing: 'null',
    thrown: /something is wrong/,
    skip: lacks('python3.10'),
  },
  {
    name: 'Java',
    runtime: 'java11',
    pack: async () => {
      await buildJavaFixtures();
      return await packFolder('java/build/code')();
    },
    handler: (odd) => `example.${odd[0]?.toUpperCase()}${odd.slice(1)}::handleRequest`,
    ...byHandler,
    nothing: '',
    thrown: /something is wrong/,
    skip: noJava,
  },
  {
    name: 'PHP',
    runtime: 'php7.2',
    pack: packFolder('php'),
    handler: (odd) => (odd === 'echo' ? 'echo.handler' : `odd.${odd}`),
    ...byHandler,
    nothing: '',
    thrown: /something is wrong/,
    skip: lacks('php7.2'),
  },
  {
    name: 'Go',
    runtime: 'go1',
    pack: () => packed(go.ok ? go.path : '', ['main'], ['main']),
    handler: () => 'main',
    ...byEvent,
    nothing: '',
    thrown: /something is wrong/,
    skip: go.ok ? false : go.why,
  },
  {
    name: 'a custom runtime',
    runtime: 'custom',
    pack: async () => {
      const folder = join(root, '.cache/fixtures-custom');
      mkdirSync(folder, { recursive: true });
      copyFileSync(join(fixtures, 'custom/server.py'), join(folder, 'bootstrap'));
      return await packed(folder, ['bootstrap'], ['bootstrap']);
    },
    handler: () => 'any',
    ...byEvent,
    event: (odd) => ({ throws: '/fails', returns6Mb: '/large' })[odd as string] ?? byEvent.event(odd),
    nothing: '',
    thrown: /out of stock/,
    skip: lacks('python3.10'),
  },
];

const layer = {
  'nodejs/node_modules/greeting.js': "exports.text = 'from the layer';\n",
  'python/greeting.py': "text = 'from the layer'\n",
  'bin/greeting': '#!/bin/sh\necho from the layer\n',
};

/** What a call of the fixture has to come to. */
const expectations: Readonly<Record<Odd, (invoked: Invoked, language: Language) => void>> = {
  echo({ errorType, bytes }, { runtime }) {
    assert.equal(errorType, null);
    const text = bytes.toString();
    if (runtime === 'custom') assert.equal(Buffer.from(JSON.parse(text).body, 'latin1').toString(), theEvent);
    else assert.equal(text, runtime === 'go1' ? JSON.stringify(theEvent) : theEvent);
  },
  throws({ errorType, bytes }, { thrown }) {
    assert.equal(errorType, 'UnhandledInvocationError');
    assert.match(bytes.toString(), thrown);
  },
  hangs({ errorType, bytes }) {
    assert.ok(errorType !== null);
    assert.match(bytes.toString(), new RegExp(`timed out after ${hangsSeconds} seconds`));
  },
  exits({ errorType, bytes }) {
    assert.ok(errorType !== null);
    assert.match(bytes.toString(), /exited unexpectedly/i);
  },
  floods({ errorType, bytes, log }, { hasBootstrap }) {
    assert.deepEqual([errorType, bytes.toString()], [null, 'flooded']);
    if (hasBootstrap) assert.match(log, /line 19999/);
  },
  returns6Mb({ errorType, bytes }) {
    assert.deepEqual([errorType, bytes.length], [null, sixMegabytes]);
  },
  returnsNothing({ errorType, bytes }, { nothing }) {
    assert.deepEqual([errorType, bytes.toString()], [null, nothing]);
  },
  printsBinary({ errorType, bytes, log }, { hasBootstrap }) {
    assert.deepEqual([errorType, bytes.subarray(0, 3).toString('hex')], [null, 'fffe00']);
    if (hasBootstrap) assert.match(log, /\xff\xfe|\xef\xbf\xbd/);
  },
  spawns({ errorType, bytes }, { runtime }) {
    assert.equal(errorType, null);
    assert.match(bytes.toString(), runtime.startsWith('python') ? /^\d+\n$/ : /^from a child\n?$/);
  },
  needsLayer({ errorType, bytes }) {
    assert.deepEqual([errorType, bytes.toString().trim()], [null, 'from the layer']);
  },
  readsCredentials({ errorType, bytes }) {
    assert.equal(errorType, null);
    assert.match(bytes.toString(), /^STS\.\S+ \d{2,}$/);
  },
};

describe('fixtures', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let api: OpenApi;
  let layerArn = '';

  before(async () => {
    // The strongest tier that works here, as people run it; `start` refuses when nothing keeps functions apart.
    const command = ['start', '--runtime-fallback'];
    const server = await startServer(cleanup, command, temporaryDirectory(cleanup)).catch(() =>
      startServer(cleanup, [...command, '--isolation', 'none'], temporaryDirectory(cleanup)),
    );
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
    const published = await api.fc('POST', '/layers/greeting/versions', {
      compatibleRuntime: languages.map(({ runtime }) => runtime),
      code: { zipFile: await zipped(layer) },
    });
    layerArn = String(published.body['layerVersionArn']);
    assert.equal(published.status, 200, JSON.stringify(published.body));
  });

  for (const language of languages) {
    describe(language.name, { skip: language.skip }, () => {
      let zipFile: Promise<string> | null = null;
      for (const odd of oddOnes) {
        test(odd, async () => {
          zipFile ??= language.pack();
          const functionName = `${language.runtime.replaceAll('.', '-')}-${kebab(odd)}`;
          const made = await api.fc('POST', '/functions', {
            functionName,
            runtime: language.runtime,
            handler: language.handler(odd),
            memorySize: 512,
            timeout: odd === 'hangs' ? hangsSeconds : 60,
            role: 'acs:ram::1234567890123456:role/function',
            layers: odd === 'needsLayer' ? [layerArn] : [],
            code: { zipFile: await zipFile },
          });
          assert.equal(made.status, 200, JSON.stringify(made.body));
          const invoked = await api.invoke(functionName, language.event(odd));
          const told = `${invoked.status} ${invoked.errorType} ${invoked.bytes.subarray(0, 500)} ${invoked.log}`;
          try {
            expectations[odd](invoked, language);
          } catch (error) {
            throw new Error(told, { cause: error });
          }
        });
      }
    });
  }
});
