// What is run for a program of the user's, and what is said when it does not serve.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FunctionConfig, ServerProgram } from '../../model/function.ts';
import { describeProgramFailure, planProgram, relayOf } from './program.ts';

const server: ServerProgram = { command: [], args: [], port: 9000, healthCheck: null, image: null };
const config = (changes: Partial<ServerProgram> = {}) =>
  ({
    handler: 'bin/main',
    server: { ...server, ...changes },
    code: { directory: '/data/x' },
  }) as unknown as FunctionConfig;
const where = { codePath: '/code', isRelayed: false };

for (const [what, changes, argv, file] of [
  ['the bootstrap', {}, ['/code/bootstrap'], '/data/x/bootstrap'],
  ['the bootstrap with arguments', { args: ['-v'] }, ['/code/bootstrap', '-v'], '/data/x/bootstrap'],
  [
    'a command found by its name',
    { command: ['python3'], args: ['a.py'] },
    ['/usr/bin/env', '--', 'python3', 'a.py'],
    null,
  ],
  ['a file of the code', { command: ['./run', '-v'] }, ['/code/run', '-v'], '/data/x/run'],
  [
    'a file of the code by its place in the cloud',
    { command: ['/code/bin/run'] },
    ['/code/bin/run'],
    '/data/x/bin/run',
  ],
  ['a program of the system', { command: ['/usr/bin/java', '-jar'] }, ['/usr/bin/java', '-jar'], null],
] as const) {
  test(`a server is started by ${what}`, () => {
    const { program } = planProgram(config(changes), 'server', where);
    assert.deepEqual([program.argv, program.file], [argv, file]);
  });
}

test('a program that polls is the file that the handler names, and listens nowhere', () => {
  const { program, road } = planProgram(config(), 'polling', where);
  assert.deepEqual(program, { argv: ['/code/bin/main'], file: '/data/x/bin/main', port: null });
  assert.deepEqual(road, { kind: 'runtime-api', isRelayed: false });
});

test('only an instance with a network of its own needs a relay, into it or out of it', () => {
  const relayed = { ...where, isRelayed: true };
  assert.equal(relayOf(planProgram(config(), 'server', where).road), null);
  assert.deepEqual(relayOf(planProgram(config({ port: 8080 }), 'server', relayed).road), { kind: 'in', port: 8080 });
  assert.deepEqual(relayOf(planProgram(config(), 'polling', relayed).road), { kind: 'out', port: 19_001 });
  assert.equal(relayOf({ kind: 'frames' }), null);
});

test('a program that does not serve is told of with its end, its command and the last that it wrote', () => {
  const { program } = planProgram(config(), 'server', where);
  const exit = { instanceId: 'c', code: 1, signal: null, isOutOfMemory: false, peakMemoryKb: 0 };
  const ended = describeProgramFailure(program, { exit, limitMs: 1_000, output: `${'x'.repeat(5_000)}no licence\n` });
  assert.ok(ended.kind === 'refused' && ended.code === 'CAExited');
  assert.match(ended.message, /\(code 1\) with start command '\/code\/bootstrap'\. Logs: x+no licence$/);
  assert.ok(ended.message.length < 1_200);
  const killed = describeProgramFailure(program, { exit: { ...exit, isOutOfMemory: true }, limitMs: 1, output: '' });
  assert.match(killed.kind === 'refused' ? killed.message : '', /out of memory.*it wrote nothing/);
  const silent = describeProgramFailure(program, { exit: null, limitMs: 120_000, output: '' });
  assert.ok(silent.kind === 'refused' && silent.code === 'FunctionNotStarted');
  assert.match(silent.message, /did not listen .*FC_SERVER_PORT.* within 120 seconds/);
});
