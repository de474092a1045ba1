import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAnswerTo, readQuestion, responseCodes, writeAnswer } from './dns-message.ts';

function query(name: string, type = 1): Buffer {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  return Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1]);
}

test('a question is its name in lower case, its type, and where it ends', () => {
  assert.deepEqual(readQuestion(query('WWW.Example.com', 28)), { name: 'www.example.com', type: 28, end: 33 });
});

test('what is no plain query has no question: answers, several questions, other classes, cut names, compressed names', () => {
  const change = (at: number, value: number) => {
    const message = query('a.b');
    message[at] = value;
    return readQuestion(message);
  };
  assert.notEqual(change(0, 0), null);
  for (const [at, value] of [
    [2, 0x81],
    [2, 0x29],
    [5, 2],
    [20, 3],
    [12, 60],
    [12, 0xc0],
  ] as const) {
    assert.equal(change(at, value), null, `${at} = ${value}`);
  }
});

test('no bytes at all make it throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const message = Buffer.from(bytes);
      const question = readQuestion(message);
      assert.ok(question === null || question.end <= message.length);
    }),
  );
});

test('an answer of our own repeats the question, and is one to the query', () => {
  const asked = query('a.b');
  const question = readQuestion(asked);
  assert.ok(question !== null);
  const answer = writeAnswer(asked, question, { code: responseCodes.none, addresses: ['1.2.3.4'], ttlSeconds: 60 });
  assert.equal(
    answer.toString('hex'),
    `12348180000100010000000001610162000001${'0001'}c00c000100010000003c000401020304`,
  );
  assert.ok(isAnswerTo(answer, asked, question));
  assert.ok(!isAnswerTo(asked, asked, question), 'a query is none');
  assert.ok(!isAnswerTo(answer, query('a.c'), question), 'nor one to another question');
});
