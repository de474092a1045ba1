// Functions whose code is a container image: an unpacked bundle on the real launcher, and what is refused by name.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe as group, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import type { FunctionConfig } from '../../src/model/function.ts';
import { describe, type Fixture, openFixture } from './functions-fixture.ts';

const run = promisify(execFile);
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;
const images = mkdtempSync('/tmp/yunmen-images-');
chmodSync(images, 0o755);
after(() => rmSync(images, { recursive: true, force: true }));
const rootfs = `${images}/team/site:v1/rootfs`;

/** A server in a root with nothing else in it. */
async function buildBundle(): Promise<boolean> {
  for (const directory of ['app/data', 'app/state', 'etc', 'real'])
    mkdirSync(`${rootfs}/${directory}`, { recursive: true });
  writeFileSync(`${rootfs}/app/data/greeting`, 'from the image');
  symlinkSync('real', `${rootfs}/linked`);
  writeFileSync(`${rootfs}/real/there`, '');
  const process = { args: ['server'], env: ['PATH=/app', 'GREETING=hello', 'FC_REGION=forged'], cwd: '/app/data' };
  const mounts = [
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
    { destination: '/app/state', type: 'tmpfs', source: 'none', options: ['rw'] },
  ];
  const write = (name: string, config: object) =>
    writeFileSync(`${images}/team/${name}/config.json`, JSON.stringify({ ociVersion: '1.0.2', ...config }));
  write('site:v1', { process, mounts });
  mkdirSync(`${images}/team/full:v1`);
  symlinkSync('../site:v1/rootfs', `${images}/team/full:v1/rootfs`);
  write('full:v1', { process, mounts: [{ destination: '/app/data', type: 'tmpfs' }] });
  const cwd = fileURLToPath(new URL('../../fixtures/apps/container', import.meta.url));
  const env = { ...globalThis.process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
  return await run('go', ['build', '-o', `${rootfs}/app/server`, '.'], { cwd, env }).then(
    () => true,
    () => false,
  );
}

const hasGo = await buildBundle();
let nextPort = 24_000;
const container = (reference: string, isServer = true): Partial<FunctionConfig> => ({
  runtime: 'custom-container',
  server: { command: [], args: [], port: nextPort++, healthCheck: null, image: { reference, isServer } },
});
const refusalOf = async (plane: Fixture, name: string): Promise<string> => {
  const outcome = await plane.invoke(name);
  assert.ok(outcome.kind === 'refused' && outcome.code === 'InvalidArgument', describe(outcome));
  return outcome.message;
};

group(
  'containers',
  { skip: (strong !== 'ok' && strong) || (!hasGo && 'Go is not here; apt-get install golang-go') },
  () => {
    let plane: Fixture;
    before(async () => {
      plane = await openFixture('strong', {}, { imageDirectory: images });
    });
    after(() => plane.close());

    test('the image is the root, and its program, environment and working directory are what runs', async () => {
      plane.publish('site', {}, { ...container('registry.example/team/site:v1'), environment: { OWN: 'yes' } });
      const seen = JSON.parse((await plane.succeed('site', 'an event')).body.toString()) as {
        event: string;
        top: string[];
        greeting: string;
        linked: boolean;
        environment: string[];
        wrote: Record<string, boolean>;
        uid: number;
      };
      assert.equal(seen.event, 'an event');
      assert.equal(seen.greeting, 'from the image');
      assert.equal(seen.linked, true);
      assert.deepEqual(seen.wrote, { '/app/state': true, '/app/data': false, '/tmp': true }, 'its volume, and /tmp');
      assert.notEqual(seen.uid, 0, 'whatever user the image names');
      assert.deepEqual(
        seen.top.filter((name) => ['usr', 'bin', 'lib', 'home', 'root'].includes(name)),
        [],
      );
      for (const expected of ['GREETING=hello', 'PATH=/app', 'OWN=yes', 'FC_REGION=cn-hangzhou']) {
        assert.ok(seen.environment.includes(expected), expected);
      }
      assert.equal(
        seen.environment.some((each) => each.startsWith('LD_LIBRARY_PATH')),
        false,
      );
    });

    test('a command of the settings takes the place of the image\u2019s', async () => {
      const { server } = container('site');
      assert.ok(server !== undefined);
      plane.publish('commanded', {}, { runtime: 'custom-container', server: { ...server, command: ['/app/none'] } });
      assert.match(await refusalOf(plane, 'commanded'), /there is no program '\/app\/none' in it$|is not in/);
    });

    test('an image that is not here is refused with the lines that would bring it', async () => {
      plane.publish('absent', {}, container('registry.example/other/app:v2'));
      assert.match(
        await refusalOf(plane, 'absent'),
        /the image 'registry.example\/other\/app:v2' is not in .*yunmen image pull registry.example\/other\/app:v2 --image-dir/,
      );
      plane.publish('digest', {}, container('app@sha256:0000'));
      assert.match(await refusalOf(plane, 'digest'), /'app@sha256:0000' is no image reference/);
      plane.publish('full', {}, container('team/full:v1'));
      assert.match(await refusalOf(plane, 'full'), /its volume \/app\/data has content, and volumes are empty here/);
      plane.publish('job', {}, container('team/site:v1', false));
      assert.match(await refusalOf(plane, 'job'), /webServerMode false/);
    });
  },
);

test('without an image directory, or a root of its own, a container is refused by name', async (t) => {
  const bare = await openFixture('none');
  t.after(() => bare.close());
  bare.publish('site', {}, container('team/site:v1'));
  assert.match(await refusalOf(bare, 'site'), /an image needs a root of its own/);
  if (strong !== 'ok') return;
  const blind = await openFixture('strong');
  t.after(() => blind.close());
  blind.publish('site', {}, container('team/site:v1'));
  assert.match(
    await refusalOf(blind, 'site'),
    /the server fetches no images; .*yunmen image pull team\/site:v1 --image-dir/,
  );
});
