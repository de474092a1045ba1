// Where there is no compiler the launcher that the published package brings is taken; `npm pack` makes it and puts it in.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { root, temporaryDirectory } from '../harness/server.ts';

/** What build.sh needs but a compiler. */
const tools = ['dirname', 'grep', 'head', 'ls', 'mkdir', 'mv', 'rm'];

test('without a compiler the prebuilt launcher is found, and works', async (t) => {
  const place = temporaryDirectory(t);
  const native = `${join(place, 'native')}/`;
  cpSync(join(root, 'native'), native, { recursive: true, filter: (path) => !/\/(build|prebuilt)$/.test(path) });
  const bin = join(place, 'bin');
  mkdirSync(bin);
  for (const tool of tools) symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), join(bin, tool));
  const env = { PATH: bin };
  const none = await findSandd(native, env);
  assert.ok(!none.ok);
  assert.match(none.why, /no C compiler \(apt-get install -y gcc libc6-dev\)/);

  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [, prebuild = ''] = /(sh native\/build\.sh .*)$/.exec(scripts.prepack) ?? [];
  execFileSync('sh', ['-c', prebuild], { cwd: place, stdio: 'pipe' });
  const found = await findSandd(native, env);
  assert.deepEqual(found, { ok: true, path: `${native}prebuilt/sandd-${process.arch}` });
  assert.ok((await probeSandd(found.path)).has('landlock'));

  // Another processor's under this one's name, then under its own.
  const foreign = readFileSync(found.path);
  foreign.writeUInt16LE(8, 18); // MIPS
  writeFileSync(found.path, foreign);
  const wrong = await findSandd(native, env);
  assert.match(
    wrong.ok ? '' : wrong.why,
    new RegExp(`no C compiler .*sandd-${process.arch} is not a program for ${process.arch}$`),
  );
  renameSync(found.path, `${native}prebuilt/sandd-mips`);
  const other = await findSandd(native, env);
  assert.match(other.ok ? '' : other.why, /no C compiler .*; this package brings it for mips only, and this is /);
});

test('servers that start together build the launcher once, where the one that is there is another processor’s, too', async (t) => {
  const place = temporaryDirectory(t);
  const native = `${join(place, 'native')}/`;
  cpSync(join(root, 'native'), native, { recursive: true, filter: (path) => !/\/(build|prebuilt)$/.test(path) });
  const compiler = join(place, 'compiler');
  const made = `for word; do [ "$last" = -o ] && out=$word; last=$word; done`;
  const script = `#!/bin/sh\necho compiled >> ${place}/log\n${made}\nsleep 0.2\ncp ${place}/right "$out"\nchmod +x "$out"\n`;
  const head = Buffer.alloc(20);
  head.writeUInt16LE(8, 18); // MIPS
  mkdirSync(`${native}build`);
  writeFileSync(`${native}build/sandd`, head, { mode: 0o755 });
  head.writeUInt16LE(process.arch === 'arm64' ? 183 : 62, 18);
  writeFileSync(join(place, 'right'), head);
  writeFileSync(compiler, script, { mode: 0o755 });
  const env = { PATH: process.env['PATH'] ?? '', CC: compiler };
  const found = await Promise.all([1, 2, 3].map(() => findSandd(native, env)));
  for (const each of found) assert.deepEqual(each, { ok: true, path: `${native}build/sandd` });
  assert.equal(readFileSync(join(place, 'log'), 'utf8'), 'compiled\n');
});

test('the package holds the prebuilt launcher, its sources and how it is built', () => {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const each of ['native/*.c', 'native/*.h', 'native/build.sh', 'native/prebuilt'])
    assert.ok(files.includes(each));
});
