import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parsePattern, SegmentTrie, splitPath } from './segment-trie.ts';

type Route = { readonly path: string; readonly method: string };

function build(routes: readonly Route[]): SegmentTrie<Route> {
  const editor = new SegmentTrie<Route>().edit();
  for (const route of routes) editor.insert(parsePattern(route.path).pattern, route.method, route);
  return editor.done();
}
const find = (trie: SegmentTrie<Route>, method: string, path: string) => trie.find(splitPath(path), 0, method);

describe('matching', () => {
  const rows: [sentence: string, routes: string[], asked: string, expected: string | null][] = [
    ['takes a literal before a parameter', ['GET /a/[x]', 'GET /a/b'], 'GET /a/b', 'GET /a/b'],
    ['takes a parameter before match-all', ['GET /a/*', 'GET /a/[x]'], 'GET /a/b', 'GET /a/[x]'],
    ['goes back where the literal leads nowhere', ['GET /a/b/c', 'GET /a/[x]/d'], 'GET /a/b/d', 'GET /a/[x]/d'],
    ['goes back to match-all', ['GET /a/b/c', 'GET /*'], 'GET /a/b/d', 'GET /*'],
    ['takes the exact method before ANY', ['ANY /a', 'GET /a'], 'GET /a', 'GET /a'],
    ['takes ANY for other methods', ['ANY /a', 'GET /a'], 'PUT /a', 'ANY /a'],
    ['goes on where the literal does not have the method', ['GET /a/b', 'ANY /a/[x]'], 'PUT /a/b', 'ANY /a/[x]'],
    ['looks at the path before the method', ['ANY /a/b', 'GET /a/[x]'], 'GET /a/b', 'ANY /a/b'],
    ['lets match-all match its parent', ['GET /a/*'], 'GET /a', 'GET /a/*'],
    ['lets match-all match its parent with a slash', ['GET /a/*'], 'GET /a/', 'GET /a/*'],
    ['lets match-all match everything below', ['GET /a/*'], 'GET /a/b/c/d', 'GET /a/*'],
    ['lets /* match the root', ['GET /*'], 'GET /', 'GET /*'],
    ['tells a last slash apart', ['GET /a'], 'GET /a/', null],
    ['does not match more segments than there are', ['GET /[root]'], 'GET /root/user1', null],
    ['matches parameters and match-all together', ['GET /[root]/*'], 'GET /root/user1', 'GET /[root]/*'],
    ['does not take an empty segment for a parameter', ['GET /a/[x]'], 'GET /a/', null],
    ['tells upper and lower case apart', ['GET /a'], 'GET /A', null],
    ['matches the root path', ['GET /'], 'GET /', 'GET /'],
    ['takes [] as a literal', ['GET /[]'], 'GET /x', null],
  ];
  for (const [sentence, texts, asked, expected] of rows) {
    it(sentence, () => {
      const routes = texts.map((text) => ({ method: text.split(' ')[0] ?? '', path: text.split(' ')[1] ?? '' }));
      const [method = '', path = ''] = asked.split(' ');
      const found = find(build(routes), method, path);
      assert.equal(found === null ? null : `${found.method} ${found.path}`, expected);
    });
  }

  it('names the methods for which a path is there', () => {
    const trie = build([
      { method: 'GET', path: '/a/b' },
      { method: 'PUT', path: '/a/[x]' },
      { method: 'ANY', path: '/c/*' },
    ]);
    assert.deepEqual([...trie.methodsAt(['a', 'b'], 0)].sort(), ['GET', 'PUT']);
    assert.deepEqual([...trie.methodsAt(['c'], 0)], ['ANY']);
    assert.deepEqual([...trie.methodsAt(['d'], 0)], []);
  });
});

/** The rules told as an order on routes: at each segment literal, parameter, match-all; at one place the newest. */
function naiveFind(routes: readonly Route[], method: string, path: string): Route | null {
  const segments = splitPath(path);
  const ranked = routes
    .filter((route) => route.method === method || route.method === 'ANY')
    .flatMap((route) => {
      const { pattern } = parsePattern(route.path);
      const isLongEnough = segments.length >= pattern.segments.length;
      if (!isLongEnough || (!pattern.hasRest && segments.length > pattern.segments.length)) return [];
      let rank = '';
      for (const [index, wanted] of pattern.segments.entries()) {
        const segment = segments[index];
        if (wanted.kind === 'literal' ? wanted.text !== segment : segment === '') return [];
        rank += wanted.kind === 'literal' ? '0' : '1';
      }
      return [{ route, rank: `${rank}${pattern.hasRest ? '3' : '2'}${route.method === 'ANY' ? '1' : '0'}` }];
    });
  const best = ranked.map(({ rank }) => rank).sort()[0];
  return ranked.findLast(({ rank }) => rank === best)?.route ?? null;
}

describe('the trie and a naive matcher', () => {
  const part = fc.constantFrom('a', 'b', 'c', '[x]', '[y]', '');
  const route = fc
    .record({
      parts: fc.array(part, { minLength: 1, maxLength: 4 }),
      rest: fc.boolean(),
      method: fc.constantFrom('GET', 'POST', 'ANY'),
    })
    .map(({ parts, rest, method }) => ({ method, path: `/${parts.join('/')}${rest ? '/*' : ''}` }));
  /** Two patterns that differ in parameter names only are one place, and one place may have two values. */
  const routes = fc.array(route, { maxLength: 12 });
  const path = fc
    .array(fc.constantFrom('a', 'b', 'c', 'd', ''), { minLength: 1, maxLength: 5 })
    .map((p) => `/${p.join('/')}`);

  it('agree on every path, and again after some routes are taken away', () => {
    fc.assert(
      fc.property(
        routes,
        path,
        fc.constantFrom('GET', 'POST', 'PUT'),
        fc.infiniteStream(fc.boolean()),
        (all, p, m, coin) => {
          const trie = build(all);
          assert.equal(find(trie, m, p), naiveFind(all, m, p));
          const kept = all.filter(() => coin.next().value === true);
          const editor = trie.edit();
          for (const gone of all) {
            if (!kept.includes(gone)) editor.remove(parsePattern(gone.path).pattern, gone.method, gone);
          }
          const smaller = editor.done();
          assert.equal(find(smaller, m, p), naiveFind(kept, m, p));
          assert.equal(find(trie, m, p), naiveFind(all, m, p), 'the former trie is unchanged');
          assert.equal(smaller.isEmpty, kept.length === 0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('changing', () => {
  it('leaves alone what another value stands before meanwhile, and serves that again when the other goes', () => {
    const first = { method: 'GET', path: '/a' };
    const second = { method: 'GET', path: '/a' };
    const { pattern } = parsePattern('/a');
    const both = build([first, second]);
    const [withoutFirst, withoutSecond] = [first, second].map((gone) => {
      const editor = both.edit();
      editor.remove(pattern, 'GET', gone);
      return editor.done();
    });
    assert.equal(find(both, 'GET', '/a'), second);
    assert.equal(withoutFirst && find(withoutFirst, 'GET', '/a'), second);
    assert.equal(withoutSecond && find(withoutSecond, 'GET', '/a'), first);
  });
});
