// Rules of the lock file's completion, on small locks made here.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLock, completeLock, missingEntries, platformOf } from './complete-lock.ts';

test('reads system, processor and C library from a platform package name', () => {
  assert.deepEqual(platformOf('@x/cli-darwin-arm64'), { cpu: ['arm64'], os: ['darwin'] });
  assert.deepEqual(platformOf('@x/binding-linux-arm-musleabihf'), { cpu: ['arm'], os: ['linux'], libc: ['musl'] });
  assert.deepEqual(platformOf('@x/binding-linux-x64-gnu'), { cpu: ['x64'], os: ['linux'], libc: ['glibc'] });
  assert.deepEqual(platformOf('@x/binding-win32-ia32-msvc'), { cpu: ['ia32'], os: ['win32'] });
});

const tool = {
  version: '2.0.0',
  dev: true,
  optionalDependencies: { '@x/cli-darwin-x64': '2.0.0', '@x/cli-linux-x64': '2.0.0' },
};

test('adds an exact optional dependency that has no entry', () => {
  const added = missingEntries({ 'node_modules/tool': tool, 'node_modules/@x/cli-linux-x64': { version: '2.0.0' } });
  assert.deepEqual(added, {
    'node_modules/@x/cli-darwin-x64': { version: '2.0.0', cpu: ['x64'], os: ['darwin'], dev: true, optional: true },
  });
});

test('puts it under the parent when another version is hoisted', () => {
  const packages = {
    'node_modules/tool': { version: '2.0.0', optionalDependencies: { '@x/cli-linux-x64': '2.0.0' } },
    'node_modules/@x/cli-linux-x64': { version: '1.0.0' },
  };
  assert.deepEqual(Object.keys(missingEntries(packages)), ['node_modules/tool/node_modules/@x/cli-linux-x64']);
});

test('leaves version ranges to npm', () => {
  assert.deepEqual(
    missingEntries({ 'node_modules/tool': { version: '1.0.0', optionalDependencies: { fsevents: '^2.3.0' } } }),
    {},
  );
});

test('changes nothing the second time, and the check agrees', () => {
  const lock = { packages: { 'node_modules/tool': tool } };
  const once = completeLock(lock);
  assert.deepEqual(completeLock(once), once);
  assert.equal(checkLock(JSON.stringify(lock)).length, 3);
  assert.deepEqual(checkLock(JSON.stringify(once)), []);
});

test('refuses an entry whose tarball address names a host, and accepts a link', () => {
  const packages = {
    'node_modules/a': { version: '1.0.0', resolved: 'https://registry.example/a.tgz' },
    'node_modules/b': { resolved: 'b', link: true },
  };
  assert.equal(checkLock(JSON.stringify({ packages })).length, 1);
});
