import assert from 'node:assert/strict';
import { test } from 'node:test';
import { doorwayValue, isOwnAtDoorway } from './doorway.ts';

const own = { accessKeyId: 'STS.1', functionKey: 'service/f' };

test('without the header anybody may call; with it only the function that it names, with temporary credentials', () => {
  assert.ok(isOwnAtDoorway('', { accessKeyId: 'LTAI1', functionKey: null }));
  assert.ok(isOwnAtDoorway(doorwayValue('service/f'), own));
  assert.ok(!isOwnAtDoorway(doorwayValue('service/g'), own));
  assert.ok(!isOwnAtDoorway(doorwayValue('service/f'), { accessKeyId: 'LTAI1', functionKey: null }));
  assert.ok(!isOwnAtDoorway(doorwayValue('service/f'), { ...own, accessKeyId: 'LTAI1' }));
  assert.ok(!isOwnAtDoorway('service/f, service%2Ff', own));
});
