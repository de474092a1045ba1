import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { gatewayErrors, wordError } from './errors.ts';
import { readHeaderText, writeHeaderText } from './header-text.ts';
import { unansweredCodes } from './unanswered-codes.ts';

/** Everything in the room but the two tables, tests and what they share. */
function sources(): string {
  const root = new URL('.', import.meta.url).pathname;
  const paths = globSync('**/*.ts', { cwd: root });
  const isMeant = (path: string) => !/\.test\.ts$|^errors\.ts$|^unanswered-codes\.ts$|^testing\.ts$/.test(path);
  return paths
    .filter(isMeant)
    .map((path) => readFileSync(`${root}${path}`, 'utf8'))
    .join('');
}

describe('the error table', () => {
  it('holds what the gateway answers, and says of the rest why nothing does', () => {
    const text = sources();
    const listed: string[] = unansweredCodes.flatMap(({ codes }) => codes);
    const silent = Object.keys(gatewayErrors).filter((code) => !text.includes(`'${code}'`));
    assert.deepEqual(silent.sort(), listed.toSorted());
  });

  for (const [code, row] of Object.entries(gatewayErrors)) {
    it(`${code} has its status in its code`, () => {
      assert.match(code, /^[IASTBDNX]\d{3}[A-Z0-9]{2}$/);
      assert.equal(code.slice(1, 4), String(row.status));
    });
  }

  it('fills the slots and cuts what an empty one leaves at the end', () => {
    assert.equal(wordError('I404NF', { Reason: '' }, false).message, 'API not found');
    const worded = wordError('I400HD', { HeaderName: 'Host', Reason: 'x {HeaderName} $&' }, false);
    assert.equal(worded.message, 'Invalid Header `Host` x {HeaderName} $&');
  });

  it('words classic errors without a code', () => {
    assert.deepEqual(wordError('I400MP', { ParameterName: 'a' }, true), {
      status: 400,
      code: null,
      message: 'Invalid Parameter Required `a`',
    });
    assert.deepEqual(wordError('I403PT', { Protocol: 'HTTP' }, true), {
      status: 403,
      code: null,
      message: 'Invalid protocol HTTP unsupported',
    });
  });
});

describe('header text', () => {
  it('never holds a byte that node refuses, and never exceeds the limit', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 });
    fc.assert(
      fc.property(text, fc.nat(40), (value, limit) => {
        const written = writeHeaderText(value, limit);
        assert.ok(written.length <= limit);
        assert.match(written, /^[\t\x20-\x7e\x80-\xff]*$/);
      }),
    );
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~猫é€]*$/), (value) => {
        assert.equal(readHeaderText(writeHeaderText(value, 1000)), value);
      }),
    );
  });

  it('turns line feeds into #, and reads bytes that are no UTF-8 as Latin-1', () => {
    assert.equal(writeHeaderText('a\nb\r\u0000c', 100), 'a#b  c');
    assert.equal(readHeaderText('caf\xe9'), 'café');
  });

  it('cuts between characters', () => {
    assert.equal(Buffer.from(writeHeaderText('a猫猫', 5), 'latin1').toString(), 'a猫');
  });
});
