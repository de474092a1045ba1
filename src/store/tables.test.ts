import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeRow } from './collection.ts';
import { createSealer } from './sealing.ts';
import { appRow, functionRow, grantRow } from './suite-rows.ts';
import { padFirstNumber, tableSpecs } from './tables.ts';

const sealer = createSealer([Buffer.alloc(32, 1)]);
const isDuplicate = () => false;

test('pads the first number so that text sorts as numbers do', () => {
  const id = fc.nat({ max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(id, id, (a, b) => {
      const [left, right] = [padFirstNumber(`${a}/x`), padFirstNumber(`${b}/x`)];
      assert.equal(Math.sign(a - b), left < right ? -1 : left > right ? 1 : 0);
    }),
  );
  assert.equal(padFirstNumber('12/a/3'), '0000000000000012/a/3');
});

test('leaves no secret of an app, a function or an access key readable in any cell', () => {
  const accessKey = { accessKeyId: 'id', accessKeySecret: 'secret-of-key', isEnabled: true, createdAt: 1 };
  const cells = [
    encodeRow({ table: 'apps', spec: tableSpecs.apps, sealer, isDuplicate }, appRow(5)),
    encodeRow({ table: 'functions', spec: tableSpecs.functions, sealer, isDuplicate }, functionRow('s', 'f')),
    encodeRow({ table: 'accessKeys', spec: tableSpecs.accessKeys, sealer, isDuplicate }, accessKey),
  ];
  for (const row of cells) assert.doesNotMatch(JSON.stringify(row), /secret-of|code-of/);
});

test('finds a function without a service under the empty name', () => {
  assert.equal(tableSpecs.functions.columns.serviceName(functionRow(null, 'f')), '');
});

test('keys a grant by app, api and stage', () => {
  assert.equal(tableSpecs.grants.key(grantRow(3, 'api')), '3/api/RELEASE');
});
