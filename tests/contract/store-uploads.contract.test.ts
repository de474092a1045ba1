// Uploaded objects on a real disk: whole or not at all, bounded in number and age.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Clock } from '../../src/base/clock.ts';
import { Uploads } from '../../src/store/uploads.ts';

const limits = { objects: 3, ageMs: 1000 };
const free = { md5: null, limitBytes: 100 };

async function makePlace(t: TestContext) {
  const directory = join(mkdtempSync(join(tmpdir(), 'yunmen-uploads-')), 'uploads');
  t.after(() => rmSync(join(directory, '..'), { recursive: true, force: true }));
  const time = { now: 1_700_000_000_000 };
  const clock: Clock = { now: () => time.now, monotonic: () => 0, after: () => () => {} };
  const open = () => Uploads.open({ directory, clock, limits });
  return { directory, time, open, uploads: await open() };
}

async function* parts(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const md5 = (text: string) => createHash('md5').update(text).digest('base64');

test('an object is read as it was put, also after opening again, and only by its owner', async (t) => {
  const { directory, uploads, open } = await makePlace(t);
  const put = await uploads.put('bucket/../../etc/passwd', parts('ab', '', 'c'), { ...free, md5: md5('abc') });
  assert.deepEqual(put, { ok: true, md5: md5('abc'), sizeBytes: 3 });
  const [name = ''] = readdirSync(directory);
  assert.match(name, /^[0-9a-f]{64}\.object$/);
  assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
  assert.equal((await (await open()).read('bucket/../../etc/passwd'))?.toString(), 'abc');
  assert.equal(await uploads.read('bucket/other'), null);
  await uploads.put('bucket/../../etc/passwd', parts('new'), free);
  assert.equal((await uploads.read('bucket/../../etc/passwd'))?.toString(), 'new');
});

test('what is too large, has another digest or breaks off leaves what was there', async (t) => {
  const { directory, uploads } = await makePlace(t);
  await uploads.put('a', parts('kept'), free);
  const large = await uploads.put('a', parts('x'.repeat(60), 'x'.repeat(60)), free);
  assert.deepEqual(large, { ok: false, reason: 'too-large' });
  const wrong = await uploads.put('a', parts('x'), { ...free, md5: md5('y') });
  assert.deepEqual(wrong, { ok: false, reason: 'wrong-digest' });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('gone');
  }
  await assert.rejects(uploads.put('a', broken(), free), /gone/);
  assert.equal((await uploads.read('a'))?.toString(), 'kept');
  assert.equal(readdirSync(directory).length, 1);
});

test('objects are bounded in number, those on their way included, and make room when they are old', async (t) => {
  const { directory, time, uploads } = await makePlace(t);
  const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => uploads.put(name, parts(name), free)));
  assert.ok(all.filter(({ ok }) => ok).length <= limits.objects);
  assert.ok(all.some((put) => !put.ok && put.reason === 'no-room'));
  while ((await uploads.put(`more${readdirSync(directory).length}`, parts('x'), free)).ok);
  assert.equal(readdirSync(directory).length, limits.objects);
  time.now += limits.ageMs + 1;
  assert.ok((await uploads.put('later', parts('x'), free)).ok);
  assert.deepEqual(readdirSync(directory).length, 1);
});

test('old objects are not read, and go with the sweep and at the next open, as what a kill left', async (t) => {
  const { directory, time, uploads, open } = await makePlace(t);
  await uploads.put('a', parts('a'), free);
  assert.equal(await uploads.sweep(), 0);
  time.now += limits.ageMs + 1;
  assert.equal(await uploads.read('a'), null);
  assert.equal(await uploads.sweep(), 1);
  await uploads.put('b', parts('b'), free);
  writeFileSync(join(directory, 'tmp-0123'), 'half');
  time.now += limits.ageMs + 1;
  await open();
  assert.deepEqual(readdirSync(directory), []);
});
