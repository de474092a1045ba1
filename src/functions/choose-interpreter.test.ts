import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseInterpreter, type Interpreter } from './choose-interpreter.ts';
import { findRuntime, isKnownRuntime, runtimeIds } from './runtimes.ts';

const python = (version: string): Interpreter => ({ language: 'python', version, path: `/p/${version}`, prefix: '/p' });
const node = (version: string): Interpreter => ({ language: 'node', version, path: `/n/${version}`, prefix: '/n' });

const rows: readonly [string, string, readonly Interpreter[], boolean, string | null, string | null][] = [
  ['the named minor', 'python3.10', [python('3.9.2'), python('3.10.1'), python('3.11.0')], true, '3.10.1', null],
  ['python3 is 3.6', 'python3', [python('3.6.15'), python('3.7.1')], true, '3.6.15', null],
  ['the newest patch of the named minor', 'python3.10', [python('3.10.1'), python('3.10.13')], false, '3.10.13', null],
  [
    'the newest release of the named Node major',
    'nodejs20',
    [node('20.1.0'), node('20.20.2'), node('22.0.0')],
    false,
    '20.20.2',
    null,
  ],
  [
    'the nearest newer minor',
    'python3.9',
    [python('3.12.1'), python('3.11.2')],
    true,
    '3.11.2',
    'python3.9 ran on Python 3.11.2',
  ],
  [
    'the nearest newer Node',
    'nodejs6',
    [node('26.1.0'), node('20.20.2')],
    true,
    '20.20.2',
    'nodejs6 ran on Node 20.20.2',
  ],
  ['nothing newer without fallback', 'python3.9', [python('3.11.2')], false, null, null],
  ['nothing older', 'python3.12', [python('3.11.2')], true, null, null],
  ['no Python 4 for Python 3', 'python3', [python('4.0.0')], true, null, null],
  ['no other language', 'nodejs20', [python('3.10.1')], true, null, null],
];

for (const [what, runtimeId, found, fallback, version, note] of rows) {
  test(`chooses ${what}`, () => {
    const choice = chooseInterpreter(runtimeId, found, fallback);
    assert.equal(choice.ok && choice.interpreter !== null ? choice.interpreter.version : null, version);
    if (choice.ok) assert.equal(choice.note, note);
  });
}

test('a refusal names the runtime, what was found and what would help', () => {
  const choice = chooseInterpreter('python3.9', [python('3.11.2')], false);
  assert.ok(!choice.ok);
  assert.match(choice.message, /'python3\.9' needs Python 3\.9: found Python 3\.11\.2; .*--runtime-fallback/);
  const none = chooseInterpreter('nodejs20', [], true);
  assert.ok(!none.ok);
  assert.match(none.message, /'nodejs20' needs Node 20: no Node was found; install Node 20/);
});

test('runtimes that cannot be started yet are refused by name, unknown ones too', () => {
  for (const id of ['dotnetcore3.1', 'custom-container', 'cobol']) {
    const choice = chooseInterpreter(id, [python('2.7.18'), python('3.10.1')], true);
    assert.ok(!choice.ok && choice.message.includes(`'${id}'`));
  }
});

test('every id that was ever valid is known', () => {
  assert.equal(runtimeIds.length, 25);
  assert.ok(runtimeIds.every(isKnownRuntime));
  assert.equal(isKnownRuntime('toString'), false);
  assert.deepEqual(findRuntime('python3'), { kind: 'startable', language: 'python', version: { major: 3, minor: 6 } });
});

test('a program of the user needs no interpreter, but sees the settings of those that it may start', () => {
  const java = {
    language: 'java',
    version: '17.0.1',
    path: '/j/bin/java',
    prefix: '/j',
    shows: ['/etc/java'],
  } as const;
  assert.deepEqual(chooseInterpreter('custom.debian10', [java, java, python('3.11.2')], false), {
    ok: true,
    interpreter: null,
    program: 'server',
    shows: ['/etc/java'],
    note: null,
  });
});
