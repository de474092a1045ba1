import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { comparable, type ExactNumber, parseJsonExactly, readExactNumber, stringifyExactly } from './exact-number.ts';

describe('exact numbers:', () => {
  const rows: readonly (readonly [text: string, number: ExactNumber])[] = [
    ['0', 0],
    ['-7', -7],
    [' 12 ', 12],
    ['0.5', 0.5],
    ['9007199254740991', 9007199254740991],
    ['+0000000000000012', 12],
    ['9007199254740993', '9007199254740993'],
    ['-9007199254740993', '-9007199254740993'],
    ['+09007199254740993', '9007199254740993'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775808', 2 ** 63],
    ['1e18', 1e18],
    ['', Number.NaN],
    ['x', Number.NaN],
  ];
  for (const [text, number] of rows) it(`'${text}' is ${number}`, () => assert.equal(readExactNumber(text), number));

  it('neighbours beyond 2^53 are told apart', () => {
    assert.ok(comparable('9007199254740993') > comparable(9007199254740992));
    assert.ok(comparable('9007199254740993') < comparable('9007199254740994'));
    assert.ok(comparable('-9007199254740993') < comparable(0.5));
  });

  it('JSON gives the digits of what it would round, and the rest as ever', () => {
    const text = '{"a":9007199254740993,"b":[-9223372036854775808,1e20,0.1234567890123456789],"c":"9007199254740993"}';
    assert.deepEqual(parseJsonExactly(text), {
      a: '9007199254740993',
      b: ['-9223372036854775808', 1e20, 0.12345678901234568],
      c: '9007199254740993',
    });
    assert.throws(() => parseJsonExactly('{"a":9007199254740993'), SyntaxError);
  });

  it('BigInts become numbers of JSON', () => {
    assert.equal(stringifyExactly({ a: 9007199254740993n, b: [1, null] }), '{"a":9007199254740993,"b":[1,null]}');
  });
});
