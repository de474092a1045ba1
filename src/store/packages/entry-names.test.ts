import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkEntryName, EntryTree, isInsideLink } from './entry-names.ts';

const namePart = fc.constantFrom('a', 'b', '..', '.', '', '/', '\\', '\0', 'C:', '云', '...', ' ');
const anyName = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(namePart).map((parts) => parts.join('/')),
);

test('gives a path that stays below the root for every name it takes', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const verdict = checkEntryName(name);
      if (!verdict.ok) return;
      const path = posix.resolve('/root', verdict.path);
      assert.ok(path === '/root' || path.startsWith('/root/'));
      assert.equal(posix.relative('/root', path), verdict.path);
      assert.doesNotMatch(verdict.path, /[\\\0]/);
    }),
  );
});

for (const name of [
  '/etc/passwd',
  '../x',
  'a/../../x',
  'a/..',
  'C:/x',
  'c:x',
  'a\\..\\b',
  'a\0b',
  '',
  `${'n'.repeat(256)}/a`,
  'd/'.repeat(2500),
]) {
  test(`refuses the name ${JSON.stringify(name.slice(0, 20))}`, () => {
    assert.equal(checkEntryName(name).ok, false);
  });
}

test('takes odd but harmless names, without empty and dot segments', () => {
  const taken = {
    './index.py': 'index.py',
    'a//b/': 'a/b',
    './': '',
    '..a/b..': '..a/b..',
    '云/门.py': '云/门.py',
    'a b': 'a b',
  };
  for (const [name, path] of Object.entries(taken)) assert.deepEqual(checkEntryName(name), { ok: true, path });
});

test('takes links that stay inside and refuses those that could leave', () => {
  assert.ok(isInsideLink('node_modules/.bin/tool', '../tool/cli.js'));
  assert.ok(isInsideLink('a', 'b'));
  assert.ok(isInsideLink('x/y/z', '../..'));
  for (const target of ['..', '../x', '/etc', 'a/../../x', 'l/../x', '', 'a\0', '..\\x', './..']) {
    assert.equal(isInsideLink('a', target), false, target);
  }
  assert.equal(isInsideLink('x/y', '../../z'), false);
});

/** Follows links the way a kernel does; null when the walk leaves the root. */
function walk(links: ReadonlyMap<string, string>, path: readonly string[]): readonly string[] | null {
  const todo = [...path];
  let place: string[] = [];
  for (let steps = 0; todo.length > 0 && steps < 100; steps++) {
    const segment = todo.shift() ?? '';
    if (segment === '' || segment === '.') continue;
    if (segment === '..') {
      if (place.length === 0) return null;
      place = place.slice(0, -1);
      continue;
    }
    const target = links.get([...place, segment].join('/'));
    if (target === undefined) place = [...place, segment];
    else todo.unshift(...target.split('/'));
  }
  return place;
}

test('no set of links that it takes leads out, however they are chained', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const target = fc
    .array(fc.constantFrom('a', 'b', 'c', '..', '.'), { minLength: 1, maxLength: 6 })
    .map((parts) => parts.join('/'));
  fc.assert(
    fc.property(fc.array(fc.tuple(path, target), { maxLength: 8 }), (candidates) => {
      const tree = new EntryTree();
      const links = new Map<string, string>();
      for (const [from, to] of candidates) {
        if (isInsideLink(from, to) && tree.add(from, 'link') === null) links.set(from, to);
      }
      for (const from of links.keys()) assert.notEqual(walk(links, from.split('/')), null);
    }),
  );
});

test('refuses a path named twice or below something that is no directory, in either order', () => {
  const tree = new EntryTree();
  assert.equal(tree.add('a/b', 'file'), null);
  assert.equal(tree.add('a', 'directory'), null);
  assert.equal(tree.add('l', 'link'), null);
  assert.match(tree.add('a/b', 'file') ?? '', /twice/);
  assert.match(tree.add('a', 'file') ?? '', /twice/);
  assert.match(tree.add('a', 'link') ?? '', /twice/);
  assert.match(tree.add('a/b/c', 'file') ?? '', /no directory/);
  assert.match(tree.add('l/x', 'file') ?? '', /no directory/);
  assert.deepEqual(tree.directories, ['a']);
});
