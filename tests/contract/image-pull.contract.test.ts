// Images fetched from a registry on loopback: what of layers comes to be, what hostile ones cannot do, and a function that runs of one.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { after, describe as group, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findSandd, probeSandd, pullImage } from '../../src/functions/index.ts';
import { ImageRegistry, type TarPart, tarOf } from '../harness/image-registry.ts';
import { Cleanup, root, temporaryDirectory } from '../harness/server.ts';
import { openFixture } from './functions-fixture.ts';

const run = promisify(execFile);
const cleanup = new Cleanup();
after(() => cleanup.run());
const native = await findSandd();
const strong = native.ok ? ((await probeSandd(native.path)).get('strong') ?? 'the probe did not end') : native.why;
const config = { Entrypoint: ['/app/server'] };
const directory = (name: string): TarPart => ({ name, type: '5', mode: 0o700 });

/** A registry, and a directory with `images` and `outside` in it. */
async function open() {
  const registry = await ImageRegistry.open(cleanup);
  const place = temporaryDirectory(cleanup);
  const images = `${place}/images`;
  mkdirSync(images);
  mkdirSync(`${place}/outside`);
  writeFileSync(`${place}/outside/kept`, 'untouched');
  const reference = `${registry.host}/team/app:v1`;
  const rootfs = `${images}/${reference}/rootfs`;
  return {
    registry,
    place,
    images,
    reference,
    rootfs,
    pull: (replaces = false) => pullImage(reference, images, { replaces }),
  };
}

for (const compression of ['gzip', 'zstd', 'none'] as const) {
  test(`layers (${compression}) lie one over the other, as they hide and link what is below them`, async () => {
    const { registry, pull, rootfs, images, reference } = await open();
    const long = `app/${'deep/'.repeat(30)}file`;
    const lower = tarOf([
      directory('app/'),
      { name: 'app/server', content: 'first', mode: 0o6755 },
      { name: 'app/gone', content: 'x' },
      { name: './app/data/a', content: 'a', mode: 0o600 },
      { name: 'app/data/b', content: 'b' },
      { name: 'usr/lib/real', content: 'real' },
      { name: 'lib', type: '2', link: 'usr/lib' },
      { name: long, content: 'long' },
      { name: 'dev/null', type: '3' },
    ]);
    const upper = tarOf([
      { name: 'app/server', content: 'second', mode: 0o755 },
      { name: 'app/.wh.gone' },
      { name: 'app/data/c', content: 'c' },
      { name: 'app/data/.wh..wh..opq' },
      { name: 'lib/more', content: 'through the link' },
      { name: 'app/same', type: '1', link: 'usr/lib/real' },
    ]);
    const { manifest } = registry.publish({
      layers: [lower, upper],
      config: { ...config, Cmd: ['-v'], Env: ['A=b'], WorkingDir: '/work', User: 'app', Volumes: { '/state': {} } },
      compression,
    });
    const pulled = await pull();
    assert.deepEqual(pulled, { place: `${images}/${reference}`, digest: manifest, isNew: true });
    assert.equal(readFileSync(`${rootfs}/app/server`, 'utf8'), 'second');
    assert.equal(statSync(`${rootfs}/app/server`).mode & 0o7777, 0o755);
    assert.deepEqual(readdirSync(`${rootfs}/app/data`), ['c']);
    assert.equal(existsSync(`${rootfs}/app/gone`), false);
    assert.equal(readlinkSync(`${rootfs}/lib`), 'usr/lib');
    assert.equal(readFileSync(`${rootfs}/usr/lib/more`, 'utf8'), 'through the link');
    assert.equal(readFileSync(`${rootfs}/app/same`, 'utf8'), 'real');
    assert.equal(readFileSync(`${rootfs}/${long}`, 'utf8'), 'long');
    assert.equal(existsSync(`${rootfs}/dev/null`), false, 'devices are the instance\u2019s own');
    assert.equal(statSync(`${rootfs}/app`).mode & 0o777, 0o755, 'whoever the program is in its instance can read it');
    const bundle = JSON.parse(readFileSync(`${images}/${reference}/config.json`, 'utf8')) as Record<string, unknown>;
    assert.deepEqual(bundle['process'], { args: ['/app/server', '-v'], env: ['A=b'], cwd: '/work' });
    assert.deepEqual(bundle['mounts'], [{ destination: '/state', type: 'tmpfs', source: 'none', options: ['rw'] }]);
    assert.ok(existsSync(`${rootfs}/state`) && existsSync(`${rootfs}/work`));
  });
}

test('what is there is not fetched again, and another content takes its place only when that is asked for', async () => {
  const { registry, pull, rootfs, images, reference } = await open();
  const layerOf = (content: string) => tarOf([{ name: 'app/server', content }]);
  registry.publish({ layers: [layerOf('one')], config });
  await pull();
  registry.asked.length = 0;
  assert.equal((await pull()).isNew, false);
  assert.equal(
    registry.asked.some((path) => path.includes('/blobs/')),
    false,
  );
  const { manifest } = registry.publish({ layers: [layerOf('two')], config });
  await assert.rejects(pull(), /is there already with another content \(--replace/);
  assert.equal(readFileSync(`${rootfs}/app/server`, 'utf8'), 'one');
  assert.equal((await pull(true)).isNew, true);
  assert.equal(readFileSync(`${rootfs}/app/server`, 'utf8'), 'two');
  const byDigest = `${registry.host}/team/app@${manifest}`;
  assert.equal((await pullImage(byDigest, images, { replaces: false })).place, `${images}/${byDigest}`);
  const left = readdirSync(`${images}/${registry.host}/team`).sort();
  assert.deepEqual(left, [`app@${manifest}`, 'app:v1'].sort());
  assert.deepEqual(readdirSync(images), [registry.host], reference);
});

test('what is not what its digest names is refused, and nothing of it stays', async () => {
  const { registry, pull, images } = await open();
  const layers = [tarOf([{ name: 'app/server', content: 'right' }])];
  const { layers: digests } = registry.publish({ layers, config, compression: 'none' });
  for (const forged of [tarOf([{ name: 'app/server', content: 'wrong' }]), Buffer.alloc(10), Buffer.alloc(1 << 20)]) {
    registry.forged.set(digests[0] ?? '', forged);
    await assert.rejects(pull(), /what came is not what sha256:|cut short|checksum/);
  }
  assert.deepEqual(readdirSync(images), []);
});

const hostile: Readonly<Record<string, readonly [readonly TarPart[], RegExp | null]>> = {
  'a path above the root': [[{ name: '../../outside/kept', content: 'bad' }], /leads out of it/],
  'a path with .. in its middle': [[{ name: 'a/../../x', content: 'bad' }], /leads out of it/],
  'a hard link to a file outside': [[{ name: 'x', type: '1', link: '../../outside/kept' }], /leads out of it/],
  'a whiteout of the parent': [[{ name: 'app/.wh...' }], /leads out of it/],
  'an entry of an unknown type': [[{ name: 'x', type: 'S' }], /the type 'S', which is not read/],
  // These stay inside: links lead where they would in the image.
  'a file through an absolute link': [
    [{ name: 'out', type: '2', link: 'OUTSIDE' }, { name: 'out/kept', content: 'bad' }, { name: 'out/.wh.kept' }],
    null,
  ],
  'a file through a link that climbs': [
    [
      { name: 'up', type: '2', link: '../../../../../../OUTSIDE' },
      { name: 'up/kept', content: 'bad' },
    ],
    null,
  ],
  'a file in the place of a link': [
    [
      { name: 'kept', type: '2', link: 'OUTSIDE/kept' },
      { name: 'kept', content: 'bad' },
    ],
    null,
  ],
  'a hard link to a link that leads outside': [
    [
      { name: 'kept', type: '2', link: 'OUTSIDE/kept' },
      { name: 'again', type: '1', link: 'kept' },
      { name: 'again', content: 'bad' },
    ],
    null,
  ],
};

for (const [name, [parts, refusal]] of Object.entries(hostile)) {
  test(`a layer writes nothing outside: ${name}`, async () => {
    const { registry, pull, place, images, rootfs } = await open();
    const named = parts.map((part) => ({ ...part, link: (part.link ?? '').replace('OUTSIDE', `${place}/outside`) }));
    registry.publish({ layers: [tarOf([{ name: 'app/server', content: 'x' }, ...named])], config });
    if (refusal === null) await pull();
    else await assert.rejects(pull(), refusal);
    assert.deepEqual(readdirSync(`${place}/outside`), ['kept']);
    assert.equal(readFileSync(`${place}/outside/kept`, 'utf8'), 'untouched');
    if (refusal !== null) assert.deepEqual(readdirSync(images), []);
    else assert.ok(lstatSync(rootfs).isDirectory());
  });
}

const cwd = fileURLToPath(new URL('../../fixtures/apps/container', import.meta.url));

group('functions', { skip: strong !== 'ok' && strong }, () => {
  test('a fetched image runs: its program by its user\u2019s rights and no more, its volume writable', async (t) => {
    const { registry, images, place, reference } = await open();
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };
    const built = await run('go', ['build', '-o', `${place}/server`, '.'], { cwd, env }).then(
      () => true,
      () => false,
    );
    if (!built) return t.skip('Go is not here; apt-get install golang-go');
    const server = readFileSync(`${place}/server`);
    const layer = tarOf([
      { name: 'app/server', content: server, mode: 0o700 },
      { name: 'app/data/greeting', content: 'from the registry', mode: 0o600 },
    ]);
    registry.publish({
      layers: [layer],
      config: { ...config, WorkingDir: '/app/data', User: '0', Volumes: { '/app/state': {} } },
    });
    const args = ['image', 'pull', reference, '--image-dir', images, '--json'];
    const { stdout } = await run(`${root}bin/yunmen`, args, { cwd: place });
    assert.equal((JSON.parse(stdout) as { isNew: boolean }).isNew, true);
    const plane = await openFixture('strong', {}, { imageDirectory: images });
    t.after(() => plane.close());
    const image = { reference, isServer: true };
    const program = { command: [], args: [], port: 24_900, healthCheck: null, image };
    plane.publish('fetched', {}, { runtime: 'custom-container', server: program });
    const seen = JSON.parse((await plane.succeed('fetched', 'e')).body.toString()) as Record<string, unknown>;
    assert.equal(seen['greeting'], 'from the registry');
    assert.notEqual(seen['uid'], 0);
    assert.deepEqual(seen['wrote'], { '/app/state': true, '/app/data': false, '/tmp': true });
  });
});
