import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { gatewayErrors, wordError } from './errors.ts';
import { readHeaderText, writeHeaderText } from './header-text.ts';

/** Codes that nothing here answers, and why. A new place that answers one takes it off the list. */
const unanswered: Readonly<Record<string, readonly string[]>> = {
  'of plug-ins, which are not served yet': [
    ...['X400PM', 'A403PR', 'A403AC', 'A403CO', 'I404CO', 'I404CH', 'T429MR', 'I504RB'],
    ...['S403JI', 'S403JU', 'I400JP', 'A401OT', 'A401OM', 'A403OL', 'A403OU'],
  ],
  'of WebSocket, which is not served yet': ['I404DD'],
  'of the market and of bills, which an installation of one’s own does not have': [
    ...['B403OD', 'B403MO', 'B403MQ', 'B403ME', 'B403MI'],
  ],
  'of authorities that block domains and groups': ['B451DO', 'B451GO', 'X403DG'],
  'of groups that move between instances; there is one instance': ['I410GG'],
  'of definitions in former formats; the store brings them up to date': ['X500ED'],
  'of VPC white lists, which groups cannot have here': ['A403VN'],
  'of nodes that protect themselves: the limits are --instance-limit (T429IN) and memory (X503BZ)': ['T429SR'],
  'nothing waits inside the gateway without a bound of its own that has another code': ['X504TO'],
  'I403AA is answered instead, which was seen': ['A403AA'],
};

/** Everything in the room but the table itself, tests and what they share. */
function sources(): string {
  const root = new URL('.', import.meta.url).pathname;
  const paths = globSync('**/*.ts', { cwd: root });
  const isMeant = (path: string) => !/\.test\.ts$|^errors\.ts$|^testing\.ts$/.test(path);
  return paths
    .filter(isMeant)
    .map((path) => readFileSync(`${root}${path}`, 'utf8'))
    .join('');
}

describe('the error table', () => {
  it('holds what the gateway answers, and says of the rest why nothing does', () => {
    const text = sources();
    const listed = Object.values(unanswered).flat();
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
