// What definitions may say about the values of a parameter.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../errors.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { checkValueRules } from './value-rules.ts';

type Lists = Readonly<Record<string, readonly NestedRecord[]>>;

async function codeOf(lists: Lists): Promise<string | null> {
  try {
    await checkValueRules({ records: (name) => lists[name] ?? [] });
    return null;
  } catch (error) {
    assert.ok(error instanceof ApiError, String(error));
    assert.match(error.message, / p /);
    return error.code;
  }
}

const parameter = (rules: NestedRecord): NestedRecord => ({
  ApiParameterName: 'p',
  Location: 'QUERY',
  ParameterType: 'String',
  Required: 'OPTIONAL',
  ...rules,
});

const rows: readonly (readonly [code: string | null, rules: NestedRecord])[] = [
  [null, {}],
  [null, { ParameterType: 'Int', MinValue: 3, MaxValue: 3, DefaultValue: '3', EnumValue: '3' }],
  ['InvalidMinValue', { ParameterType: 'Int', MinValue: 4, MaxValue: 3 }],
  ['InvalidMinValue', { ParameterType: 'Long', MinValue: '9007199254740994', MaxValue: '9007199254740993' }],
  [null, { ParameterType: 'Long', MinValue: '9007199254740993', MaxValue: '9007199254740994' }],
  [null, { ParameterType: 'Double', MinValue: 0.25, MaxValue: 0.5, DefaultValue: '.3' }],
  [null, { MinLength: 0, MaxLength: 0 }],
  ['InvalidMaxLength', { MaxLength: -1 }],
  ['InvalidMinLength', { MinLength: -1 }],
  ['InvalidMaxLength', { MaxLength: 1.5 }],
  ['InvalidMinLength', { MinLength: 2, MaxLength: 1 }],
  ['InvalidRegularExpression', { RegularExpression: '[a-' }],
  ['InvalidRegularExpression', { RegularExpression: '(?=a)b' }],
  ['InvalidJsonScheme', { JsonScheme: '{"type":"what"}' }],
  ['InvalidEnumValue', { ParameterType: 'Int', EnumValue: '1,x' }],
  ['InvalidEnumValue', { ParameterType: 'Long', EnumValue: '9223372036854775808' }],
  ['InvalidEnumValue', { ParameterType: 'Boolean', EnumValue: 'true,no' }],
  ['InvalidEnumValue', { ParameterType: 'Array', ArrayItemsType: 'Int', EnumValue: '1,x' }],
  [null, { ParameterType: 'Int', EnumValue: '1, 2,' }],
  [null, { EnumValue: '1,x' }],
  ['InvalidDefaultValue', { ParameterType: 'Int', DefaultValue: 'x' }],
  ['InvalidDefaultValue', { ParameterType: 'Int', DefaultValue: '2147483648' }],
  ['InvalidDefaultValue', { ParameterType: 'Int', DefaultValue: '9', MaxValue: 8 }],
  ['InvalidDefaultValue', { ParameterType: 'Long', DefaultValue: '9007199254740993', MaxValue: 9007199254740992 }],
  [null, { ParameterType: 'Long', DefaultValue: '9007199254740993', MaxValue: '9007199254740993' }],
  [null, { ParameterType: 'Double', DefaultValue: '9007199254740993', MinValue: '9007199254740993' }],
  ['InvalidDefaultValue', { DefaultValue: 'abc', MaxLength: 2 }],
  ['InvalidDefaultValue', { DefaultValue: 'c', EnumValue: 'a,b' }],
  ['InvalidDefaultValue', { DefaultValue: 'A', RegularExpression: '[a-z]' }],
  ['InvalidDefaultValue', { DefaultValue: '[]', JsonScheme: '{"type":"object"}' }],
  [null, { DefaultValue: '{}', JsonScheme: '{"type":"object"}' }],
  [null, { ParameterType: 'Array', ArrayItemsType: 'Int', DefaultValue: '1, 2' }],
  ['InvalidDefaultValue', { ParameterType: 'Array', ArrayItemsType: 'Int', DefaultValue: '1,x' }],
  [null, { ParameterType: 'File', DefaultValue: 'anything' }],
];

describe('the values of a parameter:', () => {
  for (const [code, rules] of rows) {
    it(`${JSON.stringify(rules)} ${code === null ? 'is taken' : `is ${code}`}`, async () => {
      assert.equal(await codeOf({ RequestParameters: [parameter(rules)] }), code);
    });
  }

  it('of constants in the older form only the value counts', async () => {
    const lists: Lists = {
      RequestParameters: [parameter({ ParameterType: 'Int', DefaultValue: 'fixed' })],
      ServiceParameters: [{ ServiceParameterName: 'c', Location: 'HEAD', ParameterCatalog: 'CONSTANT' }],
      ServiceParametersMap: [{ ServiceParameterName: 'c', RequestParameterName: 'p' }],
    };
    assert.equal(await codeOf(lists), null);
  });
});
