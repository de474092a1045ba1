import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  encodeAssign,
  encodeBackground,
  encodeConfigure,
  encodeSpare,
  encodeStart,
  encodeStop,
  parseAuthenticated,
  parseConfigured,
  parseStarted,
  SanddDecoder,
} from './sandd-messages.ts';

const spec = {
  instanceId: 'c-01234567-0123456789abcdef0123',
  argv: ['/usr/bin/python3', '-B'],
  environment: { A: '1', B: '' },
  codeDirectory: '/data/code/',
  socketDirectory: '/tmp/yunmen-x/i/c-01234567-0123456789abcdef0123',
  socketPath: '/run/yunmen/f.sock',
  readOnly: [{ from: '/opt/python', to: '/opt/python' }],
  token: 'ab'.repeat(32),
  memoryMb: 512,
} as const;

test('a stop is the word, the call, the id with its zero byte, and the grace', () => {
  assert.equal(
    encodeStop(7, 'c-1', 1000).toString('hex'),
    `0000000f${'03'}${'00000007'}${'0004'}${Buffer.from('c-1\0').toString('hex')}${'000003e8'}`,
  );
});

test('background and foreground are words with the id, and the answer to the first word says whether they may be said', () => {
  const tail = `${'00000007'}${'0004'}${Buffer.from('c-1\0').toString('hex')}`;
  assert.equal(encodeBackground(7, 'c-1', true).toString('hex'), `0000000b09${tail}`);
  assert.equal(encodeBackground(7, 'c-1', false).toString('hex'), `0000000b0a${tail}`);
  assert.deepEqual(parseAuthenticated(Buffer.from('0201', 'hex')), { hasClasses: true });
  assert.deepEqual(parseAuthenticated(Buffer.from('0000', 'hex')), { hasClasses: false });
});

test('processors are told in thousandths, after the memory', () => {
  const memory = '00000200';
  assert.ok(encodeStart(1, spec).toString('hex').includes(`${memory}00000000`));
  assert.ok(
    encodeStart(1, { ...spec, cpu: 0.35 })
      .toString('hex')
      .includes(`${memory}0000015e`),
  );
});

test('a start holds every field in order', () => {
  const text = encodeStart(1, spec).toString('latin1');
  const order = [
    'c-0123',
    '/data/code\0',
    '{"socket":"/run/yunmen/f.sock"',
    '/usr/bin/python3',
    '-B',
    'A=1',
    'B=\0',
    '/opt/python',
  ];
  let at = 0;
  for (const part of order) {
    const found = text.indexOf(part, at);
    assert.ok(found >= at, part);
    at = found;
  }
});

test('a configure without a policy asks for no networks, `none` for some that lead to the doorway alone; with one it holds what is allowed and what is refused', () => {
  const configured = { runDir: '/r', token: 't', tier: 'strong', owner: null } as const;
  const tail = (policy: Parameters<typeof encodeConfigure>[0]['policy']) =>
    encodeConfigure({ ...configured, policy: policy ?? null })
      .toString('hex')
      .slice(-2 * 15);
  assert.match(tail(null), /ffffffff0000000000$/);
  assert.match(tail('none'), /ffffffff0100000000$/);
  const allowed = [{ address: '10.1.0.0', bits: 16 }];
  const refused = [{ address: '192.168.0.1', bits: 32 }];
  assert.equal(tail({ allowed, refused }), `02${'0001'}${'0a01000010'}${'0001'}${'c0a8000120'}`);
});

test('the answer to a configure says whether there are networks and by what; that to a start, where the instance is', () => {
  const told = (hex: string) => parseConfigured(Buffer.from(hex, 'hex'));
  assert.deepEqual(told('00000000010002696f'), { sharedGroup: null, noNetwork: null, carrier: 'io' });
  assert.deepEqual(told('00000000010000'), { sharedGroup: null, noNetwork: null, carrier: null });
  assert.deepEqual(told('000000070000026e6f'), { sharedGroup: 7, noNetwork: 'no', carrier: null });
  assert.deepEqual(parseStarted(Buffer.from('0000000764641005', 'hex')), { pid: 7, address: '100.100.16.5' });
  assert.deepEqual(parseStarted(Buffer.from('0000000700000000', 'hex')), { pid: 7, address: null });
});

test('a zero byte in a text, a text too long, and too much of all are refused before they are sent', () => {
  assert.throws(() => encodeStart(1, { ...spec, argv: ['/bin/sh', 'a\0b'] }), /zero byte/);
  assert.throws(
    () => encodeConfigure({ runDir: '/tmp/x', token: 'x'.repeat(70_000), tier: 'none', owner: null }),
    /70001 bytes/,
  );
  const environment = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`V${index}`, 'x'.repeat(60_000)]));
  assert.throws(() => encodeStart(1, { ...spec, environment }), /a message to the launcher/);
});

const done = Buffer.from('00000009400000000100000039', 'hex');
const failed = Buffer.from('0000000a4100000002000377 6879'.replace(' ', ''), 'hex');
const exited = Buffer.concat([
  Buffer.from('0000002c4200000000', 'hex'),
  Buffer.from(`${spec.instanceId}\0`),
  Buffer.from('01090100001000', 'hex'),
]);

/** Those are to its starter, at call 0, and nobody waits for them. */
const wanted = Buffer.from('000000054300000000', 'hex');
const dropped = Buffer.from('000000054400000000', 'hex');

test('answers are read however they are cut', () => {
  const all = Buffer.concat([done, failed, exited, wanted, dropped]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: all.length }), { maxLength: 8 }), (cuts) => {
      const decoder = new SanddDecoder();
      const edges = [0, ...cuts.sort((a, b) => a - b), all.length];
      const answers = edges.slice(1).flatMap((end, index) => decoder.push(all.subarray(edges[index], end)));
      assert.deepEqual(
        answers.map((answer) => answer.kind),
        ['done', 'failed', 'exited', 'wanted', 'dropped'],
      );
      assert.deepEqual(answers[1], { kind: 'failed', call: 2, why: 'why' });
      assert.deepEqual(answers[2], {
        kind: 'exited',
        exit: { instanceId: spec.instanceId, code: null, signal: 'SIGKILL', isOutOfMemory: true, peakMemoryKb: 4096 },
      });
    }),
  );
});

test('what is no answer breaks the connection instead of being guessed at', () => {
  for (const wrong of ['00000004ffffffff', '00000005ff00000000', '7fffffff4000000000', '0000000742000000000000']) {
    assert.throws(() => new SanddDecoder().push(Buffer.from(wrong, 'hex')), /broke the protocol/);
  }
});

test('a spare is started without a start line, and an assignment holds every field in order', () => {
  const spare = encodeSpare(1, spec).toString('latin1');
  assert.ok(spare.includes('/data/code\0\0\x01\0\0\x02') && !spare.includes(spec.token));
  const assignment = { instanceId: spec.instanceId, codeDirectory: '/data/code/x/', memoryMb: 256, startLine: '{}\n' };
  assert.equal(
    encodeAssign(9, assignment).toString('latin1'),
    `\0\0\0\x48\x07\0\0\0\x09\0\x20${spec.instanceId}\0\0\0\x01\0\0\0\0\0\0\x0d/data/code/x\0\0\x04{}\n\0\0\0\0\0`,
  );
  const program = { argv: ['/code/run', '-x'], environment: { A: '1' } };
  const text = encodeAssign(9, { ...assignment, startLine: '', program }).toString('latin1');
  assert.ok(text.endsWith('\0\x01\0\0\x02\0\x0a/code/run\0\0\x03-x\0\0\x01\0\x04A=1\0'), JSON.stringify(text));
});
