import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { layerBinds } from './layer-binds.ts';

const directory = mkdtempSync('/tmp/yunmen-layers-');
after(() => rmSync(directory, { recursive: true }));
for (const name of ['nodejs', 'python']) mkdirSync(`${directory}/${name}`);
writeFileSync(`${directory}/data.json`, '{}');

test('layers are shown as one directory', () => {
  assert.deepEqual(layerBinds(directory, '/opt', ['/usr']), [{ from: directory, to: '/opt' }]);
  assert.deepEqual(layerBinds(directory, '/opt', []), [{ from: directory, to: '/opt' }]);
  assert.deepEqual(layerBinds(null, null, ['/usr']), []);
});

test('beside an interpreter that lies below /opt they are shown entry by entry', () => {
  const entries = ['data.json', 'nodejs', 'python'].map((name) => ({
    from: `${directory}/${name}`,
    to: `/opt/${name}`,
  }));
  assert.deepEqual(layerBinds(directory, '/opt', ['/usr', '/opt/hostedtoolcache/Python/3.10']), entries);
  assert.deepEqual(
    layerBinds(directory, '/opt', ['/opt/python/3.10']).map(({ to }) => to),
    ['/opt/data.json', '/opt/nodejs'],
  );
});
