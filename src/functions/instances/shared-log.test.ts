import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedLog } from './shared-log.ts';

function setUp() {
  const lines: [string | null, string][] = [];
  const log = new SharedLog((requestId, text) => lines.push([requestId, text]));
  return { log, lines, write: (text: string) => log.receive(Buffer.from(text)) };
}
const start = (id: string) => `FC Invoke Start RequestId: ${id}\n`;
const end = (id: string) => `FC Invoke End RequestId: ${id}\n`;

test('a part is what lies between the markers of a request, lines of others among it', () => {
  const { log, write } = setUp();
  log.begin('a');
  log.begin('b');
  write(`before\n${start('a')}one\n${start('b')}two\n${end('a')}three\n${end('b')}`);
  assert.equal(log.tail('a', '').toString(), `${start('a')}one\n${start('b')}two\n${end('a')}`);
  assert.equal(log.tail('b', '').toString(), `${start('b')}two\n${end('a')}three\n${end('b')}`);
});

test('where children may write before the Start marker, what they wrote stands behind it', () => {
  const { log, write } = setUp();
  write('of none\n');
  log.begin('a', false);
  log.begin('b');
  write(`early\n${start('a')}one\n${start('b')}${end('a')}${end('b')}`);
  assert.equal(log.tail('a', '').toString(), `${start('a')}early\none\n${start('b')}${end('a')}`);
  assert.equal(log.tail('b', '').toString(), `${start('b')}${end('a')}${end('b')}`);
});

test('markers that the instance did not write are added', () => {
  const { log, write } = setUp();
  write('at its start\n');
  log.begin('a');
  write('plain\n');
  assert.equal(log.tail('a', ', Error: x').toString(), `${start('a')}plain\nFC Invoke End RequestId: a, Error: x\n`);
});

test('a line belongs to the request that it names, or to the only one that runs', () => {
  const { log, lines, write } = setUp();
  log.begin('a');
  write('alone\n');
  log.begin('b');
  write(`2026-11-27T10:00:00.000Z b [INFO] mine\nwhose\n${end('b')}alone again\n`);
  assert.deepEqual(lines, [
    ['a', 'alone'],
    ['b', '2026-11-27T10:00:00.000Z b [INFO] mine'],
    [null, 'whose'],
    ['b', end('b').trimEnd()],
    ['a', 'alone again'],
  ]);
});

test('who waits is told at the End marker of its own request, or at the end of the stream', () => {
  const { log, write } = setUp();
  const told: string[] = [];
  for (const id of ['a', 'b']) {
    log.begin(id);
    log.whenComplete(id, () => told.push(id));
  }
  log.whenComplete(null, () => told.push('stream'));
  write(end('b').slice(0, -1));
  assert.deepEqual(told, []);
  write('\n');
  assert.deepEqual(told, ['b']);
  assert.ok(log.isComplete('b') && !log.isComplete('a'));
  log.close();
  assert.deepEqual(told, ['b', 'a', 'stream']);
});

test('of a flood only the end is kept, and one line says that the rest is not', () => {
  const { log, lines, write } = setUp();
  log.begin('a');
  write(start('a'));
  for (let at = 0; at < 3000; at += 1) write(`${String(at).padStart(999, 'x')}\n`);
  write(end('a'));
  const tail = log.tail('a', '');
  assert.equal(tail.length, 4096);
  assert.ok(tail.toString().endsWith(`2999\n${end('a')}`));
  assert.ok(lines.length < 1100);
  assert.match(lines.at(-1)?.[1] ?? '', /the rest is not kept/);
});
