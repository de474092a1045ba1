import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AliasRoute, isRouted, type RouteItem } from './alias-route.ts';

const item = (place: RouteItem['place'], operator: RouteItem['operator'], value: string): RouteItem => ({
  place,
  key: 'X-Uid',
  operator,
  value,
});
const content = {
  headers: { 'x-uid': 'm', cookie: 'a=1; X-Uid=m; b=2' },
  query: [
    ['x-uid', 'z'],
    ['X-Uid', 'm'],
  ] as const,
};
const one = (of: RouteItem): AliasRoute => ({ condition: 'AND', items: [of] });

for (const place of ['Header', 'Cookie', 'Param'] as const) {
  test(`a rule looks at the ${place.toLowerCase()} that it names, and compares it by the order of characters`, () => {
    const fulfilled = [
      ['>', 'l'],
      ['<', 'n'],
      ['>=', 'm'],
      ['<=', 'm'],
      ['==', 'm'],
      ['=', 'm'],
      ['!=', 'k'],
      ['in', 'k,m,n'],
      ['percent', '100'],
    ] as const;
    for (const [operator, value] of fulfilled) {
      assert.ok(isRouted(one(item(place, operator, value)), content), `${operator} ${value}`);
      assert.ok(!isRouted(one(item(place, operator, value)), { headers: {}, query: [] }), 'a call without it');
    }
    const missed = [
      ['>', 'm'],
      ['<', 'm'],
      ['>=', 'n'],
      ['<=', 'l'],
      ['==', 'M'],
      ['!=', 'm'],
      ['in', 'k,l'],
    ] as const;
    for (const [operator, value] of missed) assert.ok(!isRouted(one(item(place, operator, value)), content), operator);
  });
}

test('all items must be fulfilled, or any', () => {
  const items = [item('Header', '==', 'm'), item('Header', '==', 'other')];
  assert.equal(isRouted({ condition: 'AND', items }, content), false);
  assert.equal(isRouted({ condition: 'OR', items }, content), true);
});

test('a percentage takes about so many of all texts, and always the same', () => {
  const texts = Array.from({ length: 2000 }, (_, at) => `user-${at}`);
  const taken = (value: string) =>
    texts.filter((text) => isRouted(one(item('Header', 'percent', value)), { headers: { 'x-uid': text }, query: [] }));
  const [some, more] = [taken('20'), taken('40')];
  assert.ok(some.length > 300 && some.length < 500, String(some.length));
  assert.deepEqual(taken('20'), some);
  assert.ok(some.every((text) => more.includes(text)));
});
