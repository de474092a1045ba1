import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { blamed, endReasons, type InstanceState, isAlive, move, type StateKind, transitions } from './state.ts';

const kinds = Object.keys(transitions) as StateKind[];

function stateOf(kind: StateKind): InstanceState {
  return kind === 'stopping' || kind === 'gone' ? { kind, since: 1, reason: 'idle' } : { kind, since: 1 };
}

for (const from of kinds) {
  for (const to of kinds) {
    const allowed: readonly StateKind[] = transitions[from];
    const isAllowed = allowed.includes(to);
    test(`${from} ${isAllowed ? 'may become' : 'never becomes'} ${to}`, () => {
      const change = () => move(stateOf(from), stateOf(to));
      if (isAllowed) assert.equal(change().kind, to);
      else assert.throws(change, /cannot go from/);
    });
  }
}

test('every living state can be stopped, and nothing comes back', () => {
  for (const kind of kinds.filter((each) => isAlive(stateOf(each)))) {
    assert.ok((transitions[kind] as readonly StateKind[]).includes('stopping'), kind);
  }
  assert.deepEqual(transitions.stopping, ['gone']);
  assert.deepEqual(transitions.gone, []);
  assert.ok(!isAlive(stateOf('stopping')) && !isAlive(stateOf('gone')));
});

const page = readFileSync(new URL('../../../docs/instances.md', import.meta.url), 'utf8');

/** The cells of a table's rows, without its head, of the table whose first heading this is. */
function tableOf(heading: string): string[][] {
  const [, ...lines] =
    page
      .slice(page.indexOf(`| ${heading} |`))
      .split('\n\n', 1)[0]
      ?.split('\n')
      .slice(1) ?? [];
  return lines.map((line) => line.split('|').slice(1, -1));
}

const namesIn = (cell: string | undefined) => [...(cell ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name);

test('the page on instances tells the same states and moves, in its table and in its drawing', () => {
  const told = tableOf('state').map(([state, , next]) => [namesIn(state)[0], namesIn(next)]);
  assert.deepEqual(Object.fromEntries(told), transitions);

  const drawing = /```mermaid([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const drawn = [...drawing.matchAll(/(\w+) --> (\w+)/g)].flatMap(([, from, to]) =>
    from === 'alive' ? kinds.filter((kind) => isAlive(stateOf(kind))).map((kind) => `${kind} ${to}`) : `${from} ${to}`,
  );
  const moves = kinds.flatMap((from) => transitions[from].map((to) => `${from} ${to}`));
  assert.deepEqual(drawn.sort(), moves.sort());
});

test('the page on instances tells why they end, and which ends are the platform’s', () => {
  const told = tableOf('reason').map(([reason]) => namesIn(reason)[0]);
  assert.deepEqual(told, [...endReasons]);
  assert.deepEqual(
    endReasons.filter((reason) => !blamed.has(reason)),
    told.slice(0, 4),
  );
});
