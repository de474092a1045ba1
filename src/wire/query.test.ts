import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodePath, decoderFor, encodeForm, parseParameters } from './query.ts';

const entries = (text: string) => {
  const parameters = parseParameters(text);
  return parameters === null ? null : [...parameters];
};

describe('parseParameters', () => {
  const rows: [sentence: string, text: string, expected: [string, string][] | null][] = [
    ['reads nothing from an empty text', '', []],
    [
      'takes a bare name and an empty value as the empty text',
      'a&b=',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    ['takes the first of a repeated name', 'a=1&a=2', [['a', '1']]],
    ['ignores an item without a name', '=a&&b=1', [['b', '1']]],
    ['splits at the first equals sign', 'a=b=c', [['a', 'b=c']]],
    [
      'reads + as a blank and decodes names too',
      'a+b=c%20d&%E7%8C%AB=1',
      [
        ['a b', 'c d'],
        ['猫', '1'],
      ],
    ],
    ['turns escapes that are no UTF-8 into U+FFFD', 'a=%E7', [['a', '\ufffd']]],
    [
      'does not look for the value beyond the item',
      'a&b=1',
      [
        ['a', ''],
        ['b', '1'],
      ],
    ],
    ['refuses a % without two hex digits', 'a=%zz', null],
    ['refuses a % at the end of a name', 'a%=1', null],
    [
      'keeps names of Object.prototype apart',
      '__proto__=1&constructor=2',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    ],
  ];
  for (const [sentence, text, expected] of rows) it(sentence, () => assert.deepEqual(entries(text), expected));

  it('never fails on any text', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseParameters(text)));
  });

  it('reads back what encodeForm writes', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).map((s) => s.toWellFormed());
    const value = fc.string({ unit: 'grapheme' }).map((s) => s.toWellFormed());
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key }), (list) => {
        assert.deepEqual(entries(encodeForm(list)), list);
      }),
    );
  });

  it('reads a form in its own charset', () => {
    const decode = decoderFor('gbk');
    assert.ok(decode !== null);
    assert.deepEqual(
      [...(parseParameters('a=%C3%A8&b=\xc3\xa8+x', decode) ?? [])],
      [
        ['a', '猫'],
        ['b', '猫 x'],
      ],
    );
    assert.equal(decoderFor('no-such-charset'), null);
  });
});

describe('encodeForm', () => {
  it('escapes like a browser', () => {
    assert.equal(encodeForm([['a b', "c&d=!'()~*-._猫"]]), 'a+b=c%26d%3D%21%27%28%29%7E*-._%E7%8C%AB');
  });
  it('writes a lone surrogate as U+FFFD and does not fail', () => {
    assert.equal(encodeForm([['a', '\ud800']]), 'a=%EF%BF%BD');
  });
});

describe('decodePath', () => {
  const rows: [path: string, decoded: string | null][] = [
    ['/a/b', '/a/b'],
    ['/%E7%8C%AB', '/猫'],
    ['/a%2Fb%2f%5C%5c', '/a%2Fb%2f%5C%5c'],
    ['/a+b', '/a+b'],
    ['/%252F', '/%2F'],
    ['/%', null],
    ['/%zz', null],
    ['/%E7', null],
    ['/猫', null],
    ['/a b', null],
  ];
  for (const [path, decoded] of rows) it(`reads ${path} as ${decoded}`, () => assert.equal(decodePath(path), decoded));
});
