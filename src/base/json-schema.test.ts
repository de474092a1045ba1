import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadJsonSchemas, SchemaError } from './json-schema.ts';
import { loadPatterns, PatternError } from './safe-pattern.ts';

describe('a pattern', () => {
  it('matches the whole text or a part of it', async () => {
    const compile = await loadPatterns();
    const digits = compile('\\d{3}');
    assert.deepEqual(
      [digits.matchesAll('123'), digits.matchesAll('1234'), digits.matchesPart('x1234')],
      [true, false, true],
    );
    assert.equal(compile('a|ab').matchesAll('ab'), true);
    assert.equal(compile('[一-龥]{1,2}').matchesAll('云门'), true);
  });

  for (const [what, source] of [
    ['a back-reference', '(a)\\1'],
    ['look-ahead', '(?=a)a'],
    ['a broken class', '[a'],
    ['counts that multiply without end', '((a{1,100}){1,100}){1,100}'],
    ['more text than anyone needs', 'a'.repeat(3_000)],
  ] as const) {
    it(`with ${what} is refused`, async () => {
      const compile = await loadPatterns();
      assert.throws(() => compile(source), PatternError);
    });
  }

  it('that would take others for ever comes to an end', async () => {
    const compile = await loadPatterns();
    assert.equal(compile('(a+)+b').matchesAll('a'.repeat(8_000)), false);
    assert.equal(compile('(a|a|aa)*c').matchesAll('a'.repeat(8_000)), false);
  });
});

describe('a JSON schema', () => {
  const rows: readonly (readonly [what: string, schema: object, value: unknown, wrong: RegExp | null])[] = [
    ['requires what draft 4 requires', { type: 'object', required: ['a'] }, {}, /must have required property 'a'/],
    ['takes exclusiveMinimum of draft 4', { minimum: 1, exclusiveMinimum: true }, 1, /must be > 1/],
    ['takes exclusiveMaximum: false of draft 4', { maximum: 1, exclusiveMaximum: false }, 1, null],
    ['takes exclusiveMinimum of draft 7', { exclusiveMinimum: 1 }, 2, null],
    [
      'follows references within the document',
      { id: 'x', definitions: { age: { type: 'integer' } }, properties: { age: { $ref: '#/definitions/age' } } },
      { age: 'x' },
      /^\/age must be integer/,
    ],
    [
      'has properties called id and enum',
      { properties: { id: { type: 'string' }, enum: { type: 'number' } } },
      { id: 1 },
      /^\/id/,
    ],
    ['is checked at once whatever it asks for', { $async: true, type: 'string' }, 1, /must be string/],
    ['leaves the members of enum alone', { enum: [{ id: 'x' }] }, { id: 'x' }, null],
    ['matches a pattern anywhere in the text', { type: 'string', pattern: 'b' }, 'abc', null],
    [
      'finds equal items whatever the order of their keys',
      { uniqueItems: true },
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
      /./,
    ],
    ['does not read formats', { format: 'email' }, 'x', null],
  ];
  for (const [what, schema, value, wrong] of rows) {
    it(what, async () => {
      const check = (await loadJsonSchemas())(JSON.stringify(schema));
      const said = check(value);
      if (wrong === null) assert.equal(said, null);
      else assert.match(said ?? '', wrong);
    });
  }

  for (const [what, text] of [
    ['is no JSON', '{'],
    ['is no object', '[]'],
    ['has an unknown type', '{"type":"text"}'],
    ['refers to another document', '{"$ref":"http://other.test/schema"}'],
    ['has a pattern that could not be matched', '{"pattern":"(?=x)"}'],
    ['is nested without end', `${'{"not":'.repeat(100)}{}${'}'.repeat(100)}`],
  ] as const) {
    it(`is refused when it ${what}`, async () => {
      const compile = await loadJsonSchemas();
      assert.throws(() => compile(text), SchemaError);
    });
  }

  it('does not break on a value nested deeper than the stack', async () => {
    const check = (await loadJsonSchemas())('{"items":{"$ref":"#"}}');
    let value: unknown = [];
    for (let depth = 0; depth < 200_000; depth++) value = [value];
    assert.equal(check(value), 'is nested too deeply');
  });

  const twice = (ref: string) => ({ allOf: [{ $ref: ref }, { $ref: ref }] });
  const levels = Array.from({ length: 60 }, (_, at) => [`level${at}`, twice(`#/definitions/level${at + 1}`)]);
  const definitions = { ...Object.fromEntries(levels), level60: {} };
  const inItself = { properties: { x: { $ref: '#' } } };
  for (const [what, schema, value] of [
    ['whose references double with each level', { definitions, $ref: '#/definitions/level0' }, {}],
    [
      'that refers to itself twice',
      { allOf: [inItself, inItself] },
      JSON.parse(`${'{"x":'.repeat(60)}1${'}'.repeat(60)}`),
    ],
  ] as const) {
    it(`${what} comes to an end`, async () => {
      assert.equal((await loadJsonSchemas())(JSON.stringify(schema))(value), 'is nested too deeply');
    });
  }

  it('takes as many values as a long list has, by reference', async () => {
    const check = (await loadJsonSchemas())(
      '{"items":{"$ref":"#/definitions/one"},"definitions":{"one":{"type":"number"}}}',
    );
    assert.equal(check(Array.from({ length: 15_000 }, () => 1)), null);
    assert.match(check([...Array.from({ length: 15_000 }, () => 1), 'x']) ?? '', /^\/15000 must be number/);
  });

  it('is compiled in a moment where a part of it is used often', async () => {
    const fields = Array.from({ length: 300 }, (_, at) => [`field${at}`, { type: 'string', minLength: 1 }]);
    const one = { properties: Object.fromEntries(fields) };
    const uses = Object.fromEntries(fields.map(([name]) => [name, { $ref: '#/definitions/one' }]));
    const compile = await loadJsonSchemas();
    const before = process.cpuUsage().user;
    const check = compile(JSON.stringify({ definitions: { one }, properties: uses }));
    const tookMs = (process.cpuUsage().user - before) / 1000;
    assert.ok(tookMs < 3_000, `it took ${tookMs} ms of processor time`);
    assert.match(check({ field1: { field2: '' } }) ?? '', /^\/field1\/field2 must NOT have fewer/);
  });
});
