// Reading answers: the same whatever the pieces, and no crash on any bytes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BackendFault } from './fault.ts';
import type { ResponseHead } from './response-head.ts';
import { ResponseReader } from './response-reader.ts';

type Seen = { head: ResponseHead | null; body: string; isEnded: boolean };

function read(pieces: readonly Buffer[], isHead = false): Seen {
  const seen: Seen = { head: null, body: '', isEnded: false };
  const reader = new ResponseReader();
  reader.expect(isHead, {
    head: (head) => {
      seen.head = head;
    },
    data: (chunk) => {
      seen.body += chunk.toString('latin1');
    },
    end: () => {
      seen.isEnded = true;
    },
  });
  for (const piece of pieces) reader.push(piece);
  if (!seen.isEnded) reader.finish();
  return seen;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

test('an answer is the same in whatever pieces it comes', () => {
  const framed = fc.record({
    body: fc.string({ maxLength: 60 }),
    framing: fc.constantFrom('length', 'chunked', 'until-close'),
    places: fc.array(fc.nat(400), { maxLength: 12 }),
    interim: fc.boolean(),
    size: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(framed, ({ body, framing, places, interim, size }) => {
      const text = Buffer.from(body).toString('latin1');
      const chunks = (text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []).map(
        (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
      );
      const head =
        framing === 'length'
          ? `Content-Length: ${text.length}\r\n`
          : framing === 'chunked'
            ? 'Transfer-Encoding: chunked\r\n'
            : '';
      const rest = framing === 'chunked' ? `${chunks.join('')}0\r\nX-T: t\r\n\r\n` : text;
      const whole = `${interim ? 'HTTP/1.1 103 Early\r\nLink: x\r\n\r\n' : ''}HTTP/1.1 200 OK\r\nX-A: b\r\n${head}\r\n${rest}`;
      const seen = read(cut(Buffer.from(whole, 'latin1'), places));
      assert.equal(seen.body, text);
      assert.equal(seen.isEnded, true);
      assert.deepEqual(seen.head?.headers, ['X-A', 'b']);
      assert.equal(seen.head?.isReusable, framing !== 'until-close');
    }),
  );
});

test('any bytes end in an answer or a fault, never in anything else', () => {
  const pieces = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc
        .constantFrom(
          'HTTP/1.1 200 OK\r\n',
          'Content-Length: 3\r\n',
          'Transfer-Encoding: chunked\r\n',
          '\r\n',
          '3\r\nabc\r\n',
          '0\r\n\r\n',
          ': ',
          'abc',
        )
        .map((text) => Buffer.from(text)),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(pieces, fc.boolean(), (list, isHead) => {
      try {
        read(list, isHead);
      } catch (error) {
        assert.ok(error instanceof BackendFault, String(error));
      }
    }),
  );
});

test('a connection is not reused after close, an old version, an open end, or a 204 that announces a body', () => {
  const reusable = (text: string) => read([Buffer.from(`${text}\r\n\r\n`)]).head?.isReusable;
  assert.equal(reusable('HTTP/1.1 200 OK\r\nContent-Length: 0'), true);
  assert.equal(reusable('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive'), true);
  assert.equal(reusable('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close'), false);
  assert.equal(reusable('HTTP/1.0 200 OK\r\nContent-Length: 0'), false);
  assert.equal(reusable('HTTP/1.1 200 OK'), false);
  assert.equal(reusable('HTTP/1.1 204 No Content\r\nContent-Length: 5'), false);
  assert.equal(reusable('HTTP/1.1 304 Not Modified\r\nContent-Length: 5'), true);
});

test('an end before the answer is told apart from an end within it', () => {
  const kindOf = (text: string) => {
    try {
      read([Buffer.from(text)]);
      return 'answer';
    } catch (error) {
      return error instanceof BackendFault ? error.kind : 'bug';
    }
  };
  assert.equal(kindOf(''), 'closed');
  assert.equal(kindOf('H'), 'response');
  assert.equal(kindOf('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab'), 'response');
  assert.equal(kindOf('HTTP/1.1 200 OK\r\n\r\nab'), 'answer');
});
