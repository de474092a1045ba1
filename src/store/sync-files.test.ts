import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { syncTree, writeFileDurably } from './sync-files.ts';

test('a tree is synced whether it is small or large, with a program for it or without, links to nowhere and all', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'yunmen-sync-'));
  const { PATH } = process.env;
  t.after(() => {
    process.env['PATH'] = PATH;
    rmSync(root, { recursive: true });
  });
  mkdirSync(join(root, 'empty'));
  symlinkSync('nowhere', join(root, 'link'));
  syncTree(root);
  for (let count = 0; count < 100; count += 1) writeFileSync(join(root, 'empty', String(count)), 'x', { mode: 0o444 });
  syncTree(root);
  process.env['PATH'] = root;
  syncTree(root);
  assert.throws(() => syncTree(join(root, 'missing')), /ENOENT/);
});

test('a file is replaced as a whole, whatever an earlier try has left', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'yunmen-sync-'));
  t.after(() => rmSync(root, { recursive: true }));
  const path = join(root, 'a.json');
  writeFileSync(`${path}.tmp`, 'half');
  writeFileDurably(path, 'one', 0o600);
  writeFileDurably(path, 'two', 0o600);
  assert.equal(readFileSync(path, 'utf8'), 'two');
});
