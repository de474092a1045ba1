import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteQueue } from './write-queue.ts';

/** A disk that takes a write when it is told to. */
function openQueue(waitingBytes = 100) {
  const writes: { text: string; done: PromiseWithResolvers<void> }[] = [];
  const errors: unknown[] = [];
  const queue = new WriteQueue({
    waitingBytes,
    write: (lines) => {
      const done = Promise.withResolvers<void>();
      writes.push({ text: String(Buffer.concat(lines)), done });
      return done.promise;
    },
    onError: (error) => errors.push(error),
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { queue, writes, errors, turn };
}

const append = (queue: WriteQueue, text: string) => queue.append(Buffer.from(text));

test('what comes while something is written goes out together, in order', async () => {
  const { queue, writes, turn } = openQueue();
  for (const text of ['a\n', 'b\n', 'c\n']) append(queue, text);
  writes[0]?.done.resolve();
  await turn();
  writes[1]?.done.resolve();
  await queue.flush();
  assert.deepEqual(
    writes.map(({ text }) => text),
    ['a\n', 'b\nc\n'],
  );
});

test('what is being written counts as waiting', async () => {
  const { queue, writes } = openQueue(4);
  assert.deepEqual([append(queue, 'aa\n'), append(queue, 'bb\n')], [true, false]);
  writes[0]?.done.resolve();
  await queue.flush();
  assert.equal(append(queue, 'bb\n'), true);
});

test('after an error it goes on, on a line of its own', async () => {
  const { queue, writes, errors, turn } = openQueue();
  append(queue, 'lost\n');
  append(queue, 'kept\n');
  const flushed = queue.flush();
  writes[0]?.done.reject(new Error('disk full'));
  await turn();
  writes[1]?.done.resolve();
  await flushed;
  append(queue, 'more\n');
  assert.deepEqual(
    writes.map(({ text }) => text),
    ['lost\n', '\nkept\n', 'more\n'],
  );
  assert.equal(errors.length, 1);
});
