// Reading raw answers, cut anywhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnswerReader } from './answer-reader.ts';

const answers = {
  'a length': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello',
  chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
};

for (const [kind, text] of Object.entries(answers)) {
  test(`reads an answer with ${kind}, wherever it is cut, and the next one after it`, () => {
    const reader = new AnswerReader();
    for (let cut = 1; cut < text.length; cut++) {
      assert.equal(reader.push(text.slice(0, cut)), null, `whole after ${cut} bytes`);
      const answer = reader.push(text.slice(cut));
      assert.equal(answer?.status, 200);
      assert.equal(answer?.body, 'hello');
    }
  });
}

test('refuses what is no answer, and bytes after the end', () => {
  assert.throws(() => new AnswerReader().push('SSH-2.0\r\n\r\n'), /not an HTTP answer/);
  assert.throws(() => new AnswerReader().push(`${answers['a length']}more`), /after the end/);
});
