import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RequestLog, tailLimitBytes } from './request-log.ts';

const start = (id: string) => `FC Invoke Start RequestId: ${id}\n`;
const end = (id: string, suffix = '') => `FC Invoke End RequestId: ${id}${suffix}\n`;

function setUp() {
  const lines: string[] = [];
  const log = new RequestLog((requestId, text) => lines.push(`${requestId}|${text}`));
  return { log, lines, write: (text: string) => log.receive(Buffer.from(text)) };
}

test('the tail is what lies between the markers, and nothing of before or after', () => {
  const { log, write } = setUp();
  write('import noise\n');
  log.begin('r1');
  write(`stray\n${start('r1')}one\ntwo\n${end('r1')}thread of later\n`);
  assert.ok(log.isComplete());
  assert.equal(log.tail('r1', '').toString(), `${start('r1')}one\ntwo\n${end('r1')}`);
  log.begin('r2');
  assert.ok(!log.isComplete());
  assert.equal(log.tail('r2', '').toString(), start('r2') + end('r2'));
});

test('where the Start marker may come late, what children wrote before it is the request’s own', () => {
  const { log, write } = setUp();
  log.begin('r1', false);
  write(`a child wrote this\n${start('r1')}Traceback\n${end('r1', ', Error: x')}`);
  assert.equal(
    log.tail('r1', '').toString(),
    `${start('r1')}a child wrote this\nTraceback\n${end('r1', ', Error: x')}`,
  );
});

test('however much they wrote, the tail is the end of it', () => {
  const { log, write } = setUp();
  log.begin('r1', false);
  for (let line = 0; line < 2_000; line += 1) write(`line ${line}\n`);
  write(`${start('r1')}${end('r1')}`);
  const tail = log.tail('r1', '').toString();
  assert.equal(tail.length, tailLimitBytes);
  assert.ok(tail.endsWith(`line 1999\n${end('r1')}`), tail.slice(-200));
});

test('markers that were not written are added, with the error and a line end where one is missing', () => {
  const { log, write } = setUp();
  log.begin('r');
  write('Traceback');
  assert.equal(log.tail('r', ', Error: x').toString(), `${start('r')}Traceback\n${end('r', ', Error: x')}`);
});

test('the End marker with an error text counts as the end', () => {
  const { log, write } = setUp();
  log.begin('r');
  let isTold = 0;
  log.whenComplete(null, () => {
    isTold += 1;
  });
  write(`${start('r')}${end('r', ', Error: Unhandled function error').slice(0, -1)}`);
  assert.equal(isTold, 0, 'its line is not whole yet');
  write('\n');
  assert.equal(isTold, 1);
});

test('the end of the stream completes a request', () => {
  const { log } = setUp();
  log.begin('r');
  let isTold = 0;
  log.whenComplete(null, () => {
    isTold += 1;
  });
  log.close();
  assert.equal(isTold, 1);
});

test('another request id is no marker', () => {
  const { log, write } = setUp();
  log.begin('r1');
  write(end('r2'));
  assert.ok(!log.isComplete());
});

test('however the bytes are cut, the tail is the same', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 6000 }),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (text, cuts) => {
        const { log } = setUp();
        log.begin('r');
        const all = Buffer.from(`${start('r')}${text}\n${end('r')}`);
        for (let at = 0, turn = 0; at < all.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1;
          log.receive(all.subarray(at, at + size));
          at += size;
        }
        assert.ok(log.isComplete());
        assert.deepEqual(log.tail('r', ''), all.subarray(Math.max(0, all.length - tailLimitBytes)));
      },
    ),
    { numRuns: 100 },
  );
});

test('a flood is cut to the last 4 KB and forwarded up to a bound', () => {
  const { log, lines, write } = setUp();
  log.begin('r');
  for (let index = 0; index < 5000; index += 1) write(`${'x'.repeat(999)}\n`);
  write(`last\n${end('r')}`);
  const tail = log.tail('r', '');
  assert.equal(tail.length, tailLimitBytes);
  assert.ok(tail.toString().endsWith(`last\n${end('r')}`));
  assert.ok(lines.length < 1100);
  assert.match(lines.at(-1) ?? '', /the rest is not kept/);
});

test('whole lines are forwarded with their request; a line without end is cut at 32 KB', () => {
  const { log, lines, write } = setUp();
  log.begin('r');
  write('half');
  write(' line\nnext\n');
  write('y'.repeat(100_000));
  write('\nafter\n');
  assert.deepEqual([lines[0], lines[1], lines[3]], ['r|half line', 'r|next', 'r|after']);
  assert.equal(lines[2]?.length, 'r|'.length + 32 * 1024);
});

test('output that comes before its request is known to run, or after the next one runs, is its own', () => {
  const { log, lines, write } = setUp();
  log.begin('r1');
  log.expect('r2');
  log.expect('r3');
  write(`${start('r1')}one\n${end('r1')}${start('r2')}two\n`);
  log.begin('r2');
  write(end('r2', ', Error: Unhandled function error'));
  log.begin('r3');
  log.begin('r4');
  write(`${start('r3')}three\n${end('r3')}`);
  write(`${start('r4')}four\n`);
  assert.deepEqual(
    lines.filter((line) => !line.includes('FC ')),
    ['r1|one', 'r2|two', 'r3|three', 'r4|four'],
  );
  const tail = `${start('r2')}two\n${end('r2', ', Error: Unhandled function error')}`;
  assert.equal(log.tail('r2', '').toString(), tail);
  assert.equal(log.tail('r1', '').toString(), `${start('r1')}one\n${end('r1')}`);
  assert.ok(log.isComplete('r3') && !log.isComplete('r4'));
});

test('who waits for the output of a request is told though others have begun, however many', () => {
  const { log, write } = setUp();
  log.begin('r0');
  let isTold = false;
  log.whenComplete('r0', () => {
    isTold = true;
  });
  for (let at = 1; at < 200; at += 1) log.begin(`r${at}`);
  assert.ok(!isTold);
  write(`${start('r0')}late\n${end('r0')}`);
  assert.ok(isTold);
  assert.equal(log.tail('r0', '').toString(), `${start('r0')}late\n${end('r0')}`);
});

test('the output of a request that nobody asks for any more goes as soon as all of it is there, and not before', () => {
  const { log, lines, write } = setUp();
  const isKept = (id: string) => log.tail(id, '').includes(`of ${id}`);
  log.begin('r1');
  write(`${start('r1')}of r1\n${end('r1')}`);
  log.begin('r2');
  assert.ok(isKept('r1'), 'somebody may still ask');
  log.settled('r1');
  assert.ok(!isKept('r1'));
  write(`${start('r2')}of r2\n`);
  log.begin('r3');
  log.settled('r2');
  assert.ok(isKept('r2'), 'its output is still coming');
  write(`more of r2\n${end('r2')}${start('r3')}of r3\n`);
  assert.ok(!isKept('r2'));
  log.settled('r3');
  write(end('r3'));
  assert.ok(isKept('r3'), 'it is the last that began');
  log.begin('r4');
  assert.ok(!isKept('r3'));
  assert.deepEqual(
    lines.filter((line) => !line.includes('FC ')),
    ['r1|of r1', 'r2|of r2', 'r2|more of r2', 'r3|of r3'],
  );
});
