import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExit, parseInterpreters, parseLaunchSpec, parseStop } from './messages.ts';

const instanceId = `c-${'0'.repeat(8)}-${'1'.repeat(20)}`;
const spec = {
  instanceId,
  argv: ['/usr/bin/python3', '/b.py'],
  environment: { A: 'b' },
  codeDirectory: '/code',
  socketDirectory: '/run/i/x',
  socketPath: '/run/yunmen/f.sock',
  readOnly: [{ from: '/a', to: '/b' }],
  token: 't',
  memoryMb: 128,
};

test('a launch comes through as it was sent', () => {
  assert.deepEqual(parseLaunchSpec(JSON.parse(JSON.stringify(spec))), spec);
});

for (const [what, change] of [
  ['an id that is a path', { instanceId: '../../etc' }],
  ['a relative program', { argv: ['python3'] }],
  ['no program', { argv: [] }],
  ['a relative directory', { codeDirectory: 'code' }],
  ['a zero byte in a value', { environment: { A: 'b\0c' } }],
  ['a bind from a relative path', { readOnly: [{ from: 'a', to: '/b' }] }],
  ['memory that is no number', { memoryMb: '128' }],
] as const) {
  test(`${what} is rejected`, () => assert.throws(() => parseLaunchSpec({ ...spec, ...change }), Error));
}

test('any JSON is either understood or rejected with an Error', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const parse of [parseLaunchSpec, parseStop, parseExit, parseInterpreters]) {
        try {
          parse(value);
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
        }
      }
    }),
  );
});
