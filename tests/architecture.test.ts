// The law of the rooms: every import in the checkout is one that ARCHITECTURE.md's table allows.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { judgeImports } from './architecture/import-rules.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const patterns = ['{src,tests,scripts,benches,conformance,console}/**/*.{ts,tsx}', 'runtimes/**/*.{ts,js,mjs,cjs}'];

test('every import follows the table of rooms, and there is no cycle', () => {
  const exclude = (path: string) => /(^|\/)node_modules(\/|$)/.test(path);
  const paths = globSync(patterns, { cwd: root, exclude }).map((path) => path.replaceAll('\\', '/'));
  const inSource = paths.filter((path) => path.startsWith('src/'));
  assert.ok(inSource.length > 10, `read only ${inSource.length} files of src/`);
  const files = new Map(paths.sort().map((path) => [path, readFileSync(`${root}/${path}`, 'utf8')]));
  assert.deepEqual(judgeImports(files), []);
});

/** Small made-up checkouts: each must be judged as its sentence says. */
const cases: readonly {
  readonly title: string;
  readonly files: Record<string, string>;
  readonly expected: RegExp | null;
}[] = [
  {
    title: 'a room may import wire, model and base',
    files: { 'src/gateway/a.ts': "import { x } from '../wire/b.ts'; import type { Y } from '../model/c.ts';" },
    expected: null,
  },
  {
    title: 'a sibling is refused',
    files: { 'src/gateway/a.ts': "import { x } from '../functions/index.ts';" },
    expected: /gateway may not import functions/,
  },
  {
    title: 'a sibling is refused as a type too',
    files: { 'src/gateway/a.ts': "import type { X } from '../functions/pool.ts';" },
    expected: /gateway may not import functions/,
  },
  {
    title: 'a sibling is refused inside an import type',
    files: { 'src/gateway/a.ts': "export type X = import('../functions/pool.ts').Pool;" },
    expected: /gateway may not import functions/,
  },
  {
    title: 'a sibling is refused as a dynamic import',
    files: { 'src/control/a.ts': "export const load = () => import('../gateway/index.ts');" },
    expected: /control may not import gateway/,
  },
  {
    title: 'a re-export upwards is refused',
    files: { 'src/base/a.ts': "export { x } from '../model/b.ts';" },
    expected: /base may not import model/,
  },
  {
    title: 'the store port is open to siblings as types',
    files: { 'src/control/a.ts': "import type { Store } from '../store/port.ts';" },
    expected: null,
  },
  {
    title: 'the store port is closed to values',
    files: { 'src/control/a.ts': "import { type Store, open } from '../store/port.ts';" },
    expected: /as types only/,
  },
  {
    title: 'the CLI does not know the store',
    files: { 'src/cli/a.ts': "import type { Store } from '../store/port.ts';" },
    expected: /cli may not import store/,
  },
  {
    title: 'nobody imports the composition',
    files: { 'src/cli/a.ts': "import { settings } from '../settings.ts';" },
    expected: /nobody imports the composition/,
  },
  {
    title: 'the composition goes through the face of a room',
    files: { 'src/server.ts': "import { x } from './gateway/pipeline.ts';" },
    expected: /go through src\/gateway\/index.ts/,
  },
  {
    title: 'the composition may import everything',
    files: {
      'src/main.ts': "import { x } from './gateway/index.ts'; import { y } from './base/y.ts'; import './server.ts';",
    },
    expected: null,
  },
  {
    title: 'a face only re-exports',
    files: { 'src/gateway/index.ts': "export { x } from './x.ts';\nexport const y = 1;" },
    expected: /does more than re-export/,
  },
  {
    title: 'conformance knows nothing of src',
    files: { 'conformance/a.test-case.ts': "import { x } from '../src/wire/x.ts';" },
    expected: /imports nothing of ours/,
  },
  {
    title: 'conformance starts servers by the harness, and takes nothing else of tests',
    files: { 'conformance/kit/a.ts': "import '../../tests/harness/server.ts'; import '../../tests/e2e/x.ts';" },
    expected: /^conformance\/kit\/a.ts imports tests\/e2e\/x.ts: only tests import tests$/,
  },
  {
    title: 'a bootstrap knows nothing of src',
    files: { 'runtimes/nodejs/a.js': "const x = require('../../src/base/x.ts');" },
    expected: /imports nothing of ours/,
  },
  {
    title: 'a folder that is no room is refused',
    files: { 'src/utils/a.ts': "import { x } from '../base/x.ts';" },
    expected: /not a room of the table/,
  },
  {
    title: 'tests may import anything, but nothing imports tests',
    files: { 'src/wire/a.test.ts': "import '../control/index.ts';", 'src/wire/b.ts': "import './a.test.ts';" },
    expected: /^src\/wire\/b.ts .*only tests import tests$/,
  },
  {
    title: 'a cycle is found, through types as well',
    files: { 'src/wire/a.ts': "import type { B } from './b.ts';", 'src/wire/b.ts': "export * from './a.ts';" },
    expected: /^cycle: src\/wire\/a.ts → src\/wire\/b.ts → src\/wire\/a.ts$/,
  },
  {
    title: 'a computed import is refused in src',
    files: { 'src/base/a.ts': 'export const load = (name: string) => import(name);' },
    expected: /computed specifier/,
  },
];

for (const { title, files, expected } of cases) {
  test(`rule: ${title}`, () => {
    const read = new Map(Object.entries(files));
    if (expected === null) assert.deepEqual(judgeImports(read), []);
    else if (expected.source.includes('computed')) assert.throws(() => judgeImports(read), expected);
    else assert.match(judgeImports(read).join('\n'), expected);
  });
}
