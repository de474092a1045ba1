import assert from 'node:assert/strict';
import { it } from 'node:test';
import { packDefinition, unpackDefinition } from './packed-definition.ts';
import { definition, parameter } from './testing.ts';

it('a definition comes back as it was, but for what only documents it', () => {
  const whole = definition({
    auth: { type: 'APP', appCode: 'HEADER', signatureMethods: ['HmacSHA1', 'HmacSHA256'] },
    request: { method: 'POST', path: '/v1/[id]/*', bodySchema: '{}' },
    rest: {
      parameters: [
        parameter({ name: 'a', location: 'BODY', type: 'Int', required: true, minValue: 0, enumValue: '1,2' }),
        parameter({ name: 'id', location: 'PATH', description: 'documents', demoValue: '7', docOrder: 3 }),
      ],
      serviceParameters: [{ name: 'b', location: 'HEAD', type: 'INT', catalog: 'REQUEST' }],
      mappings: [{ requestName: 'a', serviceName: 'b' }],
      constants: [{ serviceName: 'c', value: '猫', location: 'QUERY', description: '' }],
    },
  });
  const back = unpackDefinition(packDefinition(whole));
  assert.deepEqual(back, {
    ...whole,
    parameters: [whole.parameters[0], { ...whole.parameters[1], description: '', demoValue: null, docOrder: 0 }],
  });
});

it('a common definition takes a small part of its JSON', () => {
  const common = definition({ rest: { parameters: ['a', 'b', 'c'].map((name) => parameter({ name })) } });
  assert.ok(packDefinition(common).length * 2 < JSON.stringify(common).length);
});
