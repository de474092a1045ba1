// Libraries that the cloud's images carry: `yunmen runtime add --libraries` puts them beside one runtime id, whose functions
// import them without bringing them. Fetched by npm and pip, into a cache of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, root, startServer, temporaryDirectory } from '../harness/server.ts';

const fetchLimitMs = 240_000;

/** `without` runs by the same interpreter and got no libraries. */
const rows = [
  {
    runtime: 'python3.9',
    without: 'python3.10',
    library: 'simplejson',
    files: { 'index.py': 'import simplejson\ndef handler(event, context): return {"at": simplejson.__file__}\n' },
    where: /\/libraries\/python3\.9\/simplejson\/__init__\.py$/,
    missing: /Unable to import module 'index'/,
  },
  {
    runtime: 'nodejs16',
    without: 'nodejs14',
    library: 'co',
    files: {
      'index.js': 'exports.handler = (event, context, callback) => callback(null, { at: require.resolve("co") });\n',
    },
    where: /\/libraries\/nodejs16\/node_modules\/co\/index\.js$/,
    missing: /Cannot find module 'co'/,
  },
] as const;

describe('libraries that the cloud preinstalls', () => {
  const cleanup = new Cleanup();
  after(() => cleanup.run());
  let api: OpenApi;

  before(async () => {
    const env = { XDG_CACHE_HOME: temporaryDirectory(cleanup) };
    for (const { runtime, library } of rows) {
      const options = { env: { ...process.env, ...env }, timeout: fetchLimitMs, encoding: 'utf8' } as const;
      const args = ['runtime', 'add', runtime, '--libraries', '--only', library];
      const added = spawnSync(`${root}bin/yunmen`, args, options);
      assert.equal(added.status, 0, added.stderr);
      assert.match(added.stdout, /sees them when it is started again/);
    }
    const server = await startServer(cleanup, ['start', '--runtime-fallback'], temporaryDirectory(cleanup), { env });
    api = new OpenApi(server.ready, server.credentials);
    cleanup.after(() => api.close());
  });

  const invoke = async (functionName: string, runtime: string, files: Record<string, string>) => {
    const code = { zipFile: await zipped(files) };
    const made = await api.fc('POST', '/functions', { functionName, runtime, handler: 'index.handler', code });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const answer = await api.fc('POST', `/functions/${functionName}/invocations`);
    return String(answer.body['at'] ?? answer.body['errorMessage']);
  };

  for (const { runtime, without, library, files, where, missing } of rows) {
    test(`${runtime} imports ${library}, which was added for it; ${without} finds none`, async () => {
      assert.match(await invoke(`with-${library}`, runtime, files), where);
      assert.match(await invoke(`without-${library}`, without, files), missing);
    });
  }
});
