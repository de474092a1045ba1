// Code packages on a real disk: what is taken, how it lies there, what is refused and leaves nothing.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../../src/base/clock.ts';
import { mergedName } from '../../src/model/function.ts';
import type { PackageLimits } from '../../src/store/packages/limits.ts';
import { Packages } from '../../src/store/packages/packages.ts';
import { crc64 } from '../../src/wire/crc64.ts';
import { buildZip, directoryMode, fileMode, linkMode, programMode, type ZipEntry } from './store-zips.ts';

const limits: PackageLimits = { zipBytes: 20_000_000, unpackedBytes: 30_000_000, entries: 200, mergedBytes: 40_000 };

/** A clock that stands still, and never ends the worker by idleness. */
function stoppedClock(): Clock & { time: number } {
  return {
    time: 1_700_000_000_123,
    now() {
      return this.time;
    },
    monotonic: () => 0,
    after: () => () => {},
  };
}

async function makePlace(context: TestContext) {
  const directory = join(mkdtempSync(join(tmpdir(), 'yunmen-packages-')), 'code');
  const clock = stoppedClock();
  let packages = await Packages.open({ directory, clock, limits });
  context.after(async () => {
    await packages.close();
    rmSync(join(directory, '..'), { recursive: true, force: true });
  });
  const reopen = async (): Promise<Packages> => {
    await packages.close();
    packages = await Packages.open({ directory, clock, limits });
    return packages;
  };
  return { directory, clock, packages, reopen };
}

const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);

async function added(packages: Packages, zip: Buffer) {
  const result = await packages.add(zip);
  assert.ok(result.ok, result.ok ? '' : result.message);
  return result;
}

test('unpacks a package as read-only files, with its programs and links, and keeps the bytes as uploaded', async (context) => {
  const { directory, packages } = await makePlace(context);
  const zip = buildZip([
    { name: 'lib/', mode: directoryMode },
    { name: 'index.py', content: 'print(1)\n'.repeat(1000) },
    { name: './bin//run', content: '#!/bin/sh\n', mode: 0o106755 },
    { name: 'stored.txt', content: 'as it is', method: 0 },
    { name: 'lib/link', content: '../bin/run', mode: linkMode },
    { name: 'from-dos.txt', content: 'x', mode: null },
    { name: 'deep/er/empty', content: '' },
    { name: Buffer.from('云门.py'), content: 'utf-8 that does not say so', flags: 0 },
  ]);
  const result = await added(packages, zip);
  const sha256 = createHash('sha256').update(zip).digest('hex');
  assert.deepEqual(result, {
    ok: true,
    sha256,
    checksum: crc64(zip),
    sizeBytes: zip.length,
  });
  assert.deepEqual(await packages.read(sha256), zip);

  const at = (path: string) => join(directory, result.sha256, path);
  assert.equal(readFileSync(at('index.py'), 'utf8'), 'print(1)\n'.repeat(1000));
  assert.equal(readFileSync(at('stored.txt'), 'utf8'), 'as it is');
  assert.equal(readFileSync(at('deep/er/empty'), 'utf8'), '');
  assert.ok(existsSync(at('云门.py')));
  assert.equal(readlinkSync(at('lib/link')), '../bin/run');
  assert.deepEqual([at(''), at('lib'), at('deep/er')].map(modeOf), ['755', '755', '755']);
  assert.deepEqual([at('index.py'), at('bin/run'), at('from-dos.txt')].map(modeOf), ['444', '555', '444']);
  assert.deepEqual(readdirSync(directory).sort(), [sha256, `${sha256}.zip`]);
});

test('takes the same bytes again as the same package', async (context) => {
  const { directory, packages } = await makePlace(context);
  const zip = buildZip([{ name: 'a', content: 'a' }]);
  assert.deepEqual(await Promise.all([packages.add(zip), packages.add(zip)]), [
    await added(packages, zip),
    await added(packages, zip),
  ]);
  assert.equal(readdirSync(directory).length, 2);
});

test('unpacks large entries piece by piece', async (context) => {
  const { packages } = await makePlace(context);
  const content = Buffer.alloc(9_000_000, 'large ');
  const result = await added(
    packages,
    buildZip([
      { name: 'deflated', content },
      { name: 'stored', content, method: 0 },
    ]),
  );
  for (const name of ['deflated', 'stored'])
    assert.ok(readFileSync(join(packages.directory, result.sha256, name)).equals(content));
});

type Refusal = { readonly why: string; readonly reason: string; readonly says: RegExp; readonly zip: () => Buffer };

const withEntries = (why: string, reason: string, says: RegExp, ...entries: ZipEntry[]): Refusal => ({
  why,
  reason,
  says,
  zip: () => buildZip([{ name: 'index.py', content: 'x' }, ...entries]),
});

const large = Buffer.alloc(16_000_000);
const refusals: readonly Refusal[] = [
  { why: 'no bytes', reason: 'not-a-zip', says: /not a usable zip/, zip: () => Buffer.alloc(0) },
  { why: 'text', reason: 'not-a-zip', says: /not a usable zip/, zip: () => Buffer.from('print(1)'.repeat(100)) },
  { why: 'a zip without entries', reason: 'not-a-zip', says: /holds no file/, zip: () => buildZip([]) },
  {
    why: 'a zip cut short',
    reason: 'not-a-zip',
    says: /not a usable zip/,
    zip: () => buildZip([{ name: 'a', content: 'a' }]).subarray(0, 60),
  },
  {
    why: 'more bytes than allowed',
    reason: 'too-large',
    says: /bytes; 20000000 are allowed/,
    zip: () => Buffer.alloc(20_000_001),
  },
  withEntries('an absolute name', 'unsafe-entry', /"\/etc\/x".*absolute/, { name: '/etc/x' }),
  withEntries('a name with ..', 'unsafe-entry', /"a\/\.\.\/\.\.\/x".*\.\./, { name: 'a/../../x' }),
  withEntries('a backslash name', 'unsafe-entry', /backslash/, { name: '..\\x' }),
  withEntries('a drive letter', 'unsafe-entry', /absolute/, { name: 'C:/x' }),
  withEntries('a NUL in a name', 'unsafe-entry', /NUL/, { name: 'a\0b' }),
  withEntries('a link to an absolute path', 'unsafe-entry', /"l".*leads out/, {
    name: 'l',
    content: '/etc/passwd',
    mode: linkMode,
  }),
  withEntries('a link that climbs out', 'unsafe-entry', /leads out/, {
    name: 'd/l',
    content: '../../x',
    mode: linkMode,
  }),
  withEntries(
    'a file written through a link',
    'unsafe-entry',
    /no directory/,
    { name: 'l', content: '.', mode: linkMode },
    { name: 'l/x', content: 'x' },
  ),
  withEntries('a link with an endless target', 'unsafe-entry', /too long/, {
    name: 'l',
    content: 'a'.repeat(5000),
    mode: linkMode,
  }),
  withEntries('a device', 'unsafe-entry', /neither/, { name: 'null', mode: 0o020666 }),
  withEntries('a pipe', 'unsafe-entry', /neither/, { name: 'pipe', mode: 0o010644 }),
  withEntries('a directory with content', 'unsafe-entry', /content/, { name: 'd/', content: 'x', mode: directoryMode }),
  withEntries('one name twice', 'unsafe-entry', /twice/, { name: './index.py', content: 'y' }),
  withEntries('an encrypted entry', 'unsafe-entry', /"s".*encrypted/, { name: 's', content: 'x', flags: 0x801 }),
  withEntries('an unknown compression', 'not-a-zip', /method 12/, { name: 's', content: 'x', method: 12 }),
  withEntries('a wrong checksum', 'not-a-zip', /"s".*damaged/, { name: 's', content: 'x', saidCrc: 1 }),
  withEntries('an entry larger than it says', 'not-a-zip', /"s".*damaged/, {
    name: 's',
    content: 'x'.repeat(1000),
    saidSize: 10,
  }),
  withEntries('an entry smaller than it says', 'not-a-zip', /"s".*damaged/, { name: 's', content: 'x', saidSize: 10 }),
  withEntries('a large entry that says it is larger', 'not-a-zip', /"s".*damaged/, {
    name: 's',
    content: large,
    saidSize: 16_000_001,
  }),
  withEntries(
    'more than may be unpacked',
    'too-large',
    /30000000/,
    { name: 'a', content: large },
    { name: 'b', content: large },
  ),
  {
    why: 'more entries than allowed',
    reason: 'too-large',
    says: /201 entries/,
    zip: () => buildZip(Array.from({ length: 201 }, (_, index) => ({ name: `f${index}` }))),
  },
];

for (const { why, reason, says, zip } of refusals) {
  test(`refuses ${why}, and leaves nothing behind`, async (context) => {
    const { directory, packages } = await makePlace(context);
    const result = await packages.add(zip());
    assert.ok(!result.ok);
    assert.equal(result.reason, reason);
    assert.match(result.message, says);
    assert.deepEqual(readdirSync(directory), []);
  });
}

test('answers any damage to a zip with a refusal or a whole package, never with a crash', async (context) => {
  const { directory, packages } = await makePlace(context);
  const zip = buildZip([
    { name: 'index.py', content: 'print(1)'.repeat(50), mode: programMode },
    { name: 'd/l', content: '../index.py', mode: linkMode },
    { name: 'd/s', content: 'stored', method: 0, mode: fileMode },
  ]);
  const damage = fc.array(fc.tuple(fc.nat(zip.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(zip.length), async (changes, length) => {
      const damaged = Buffer.from(length < 20 ? zip.subarray(0, zip.length - length) : zip);
      for (const [at, value] of changes) if (at < damaged.length) damaged[at] = value;
      const result = await packages.add(damaged);
      if (result.ok) assert.ok(lstatSync(join(directory, result.sha256)).isDirectory());
      assert.deepEqual(
        readdirSync(directory).filter((name) => name.startsWith('tmp-')),
        [],
      );
    }),
  );
});

test('puts packages over each other once, and keeps what a row names', async (context) => {
  const { directory, packages, clock, reopen } = await makePlace(context);
  const low = await added(
    packages,
    buildZip([
      { name: 'lib/a', content: 'low' },
      { name: 'lib/b', content: 'kept', mode: programMode },
      { name: 'lib/was-file', content: 'file' },
      { name: 'lib/link', content: 'a', mode: linkMode },
      { name: 'lib/was-directory/x', content: 'x' },
    ]),
  );
  const high = await added(
    packages,
    buildZip([
      { name: 'lib/a', content: 'high' },
      { name: 'lib/was-file/x', content: 'directory' },
      { name: 'lib/was-directory', content: 'now a file' },
    ]),
  );
  const both = [low.sha256, high.sha256];
  assert.deepEqual(await packages.merge(both), { ok: true });
  const merged = join(directory, mergedName(both) ?? '');
  const read = (path: string) => readFileSync(join(merged, 'lib', path), 'utf8');
  assert.deepEqual(['a', 'b', 'was-file/x', 'was-directory', 'link'].map(read), [
    'high',
    'kept',
    'directory',
    'now a file',
    'high',
  ]);
  assert.deepEqual([modeOf(join(merged, 'lib/a')), modeOf(join(merged, 'lib/b'))], ['444', '555']);
  assert.ok(lstatSync(join(merged, 'lib/link')).isSymbolicLink());
  const { ino } = statSync(merged);
  await packages.merge(both);
  assert.equal(statSync(merged).ino, ino, 'it was not made again');
  assert.deepEqual(await packages.merge([low.sha256]), { ok: true }, 'one package is what it is');

  const again = await reopen();
  clock.time += 10_000;
  assert.equal(await again.sweep(new Set([...both, mergedName(both) ?? '']), 0), 0);
  assert.ok(existsSync(merged));
  assert.equal(await again.sweep(new Set(both), 0), 1);
  assert.ok(!existsSync(merged));
});

test('refuses packages that are too large together, and leaves nothing of the attempt', async (context) => {
  const { directory, packages } = await makePlace(context);
  const zips = ['a', 'b', 'c'].map((name) => buildZip([{ name, content: Buffer.alloc(15_000, name) }]));
  const sha256s = [];
  for (const zip of zips) sha256s.push((await added(packages, zip)).sha256);
  const refused = await packages.merge(sha256s);
  assert.ok(!refused.ok);
  assert.equal(refused.reason, 'too-large');
  assert.deepEqual(
    readdirSync(directory).filter((name) => !/^[0-9a-f]{64}/.test(name)),
    [],
  );
});

test('sweeps packages that are not in use and were not added just now', async (context) => {
  const { directory, clock, packages } = await makePlace(context);
  const add = async (name: string) => (await added(packages, buildZip([{ name, content: name }]))).sha256;
  const used = await add('used');
  const old = await add('old');
  const renewed = await add('renewed');
  clock.time += 60_000;
  await add('renewed');
  const fresh = await add('fresh');
  assert.equal(await packages.sweep(new Set([used]), 1000), 1);
  assert.equal(await packages.read(old), null);
  assert.deepEqual(readdirSync(directory).sort(), [used, renewed, fresh].flatMap((sha) => [sha, `${sha}.zip`]).sort());
  assert.equal(await packages.sweep(new Set([used]), 0), 2);
  assert.deepEqual(readdirSync(directory).length, 2);
});

test('removes leftovers and completes what a kill left half done when it is opened', async (context) => {
  const { directory, packages, reopen } = await makePlace(context);
  const { sha256 } = await added(packages, buildZip([{ name: 'd/a', content: 'a' }]));
  rmSync(join(directory, sha256), { recursive: true });
  mkdirSync(join(directory, 'tmp-0123', 'd'), { recursive: true });
  writeFileSync(join(directory, 'tmp-0123.zip'), 'half');
  const orphan = 'ab'.repeat(32);
  mkdirSync(join(directory, orphan, 'd'), { recursive: true });
  chmodSync(join(directory, orphan, 'd'), 0o555);
  chmodSync(join(directory, orphan), 0o555);
  await reopen();
  assert.deepEqual(readdirSync(directory).sort(), [sha256, `${sha256}.zip`]);
  assert.equal(readFileSync(join(directory, sha256, 'd/a'), 'utf8'), 'a');
});

test('refuses to open over a stored zip that is damaged and has to be unpacked again', async (context) => {
  const { directory, packages, reopen } = await makePlace(context);
  const { sha256 } = await added(packages, buildZip([{ name: 'a', content: 'a' }]));
  rmSync(join(directory, sha256), { recursive: true });
  chmodSync(join(directory, `${sha256}.zip`), 0o600);
  writeFileSync(join(directory, `${sha256}.zip`), 'other bytes');
  await assert.rejects(reopen(), /is damaged; remove the file/);
});

test('knows no package by an unknown or malformed name', async (context) => {
  const { packages } = await makePlace(context);
  assert.equal(await packages.read('ab'.repeat(32)), null);
  assert.equal(await packages.read('../../etc/passwd'), null);
});

test('refuses packages after it was closed', async (context) => {
  const { packages } = await makePlace(context);
  await packages.close();
  await assert.rejects(packages.add(buildZip([{ name: 'a', content: 'a' }])), { code: 'StoreClosed' });
});
