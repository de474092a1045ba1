// Attacks by what a package holds: names and kinds of entries that a naive unpacker would follow, and files that an
// interpreter runs when it starts. Run by instances.security.test.ts.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildZip, linkMode, type ZipEntry } from '../contract/store-zips.ts';
import type { AttackServer } from './attack-server.ts';

const index = {
  name: 'index.py',
  content: 'import json\ndef handler(event, context):\n    return json.dumps({"ok": 1})\n',
};
const mark = 'planted by a package';

type Escape = { readonly title: string; entries(target: string, fromCode: string): readonly ZipEntry[] };

/** `target`: absolute, outside of the package. The naive unpacker follows all of these. */
const escapes: readonly Escape[] = [
  { title: 'writes outside by ../', entries: (_, fromCode) => [{ name: fromCode, content: mark }] },
  { title: 'writes outside by an absolute name', entries: (target) => [{ name: target, content: mark }] },
  {
    title: 'writes outside by ../ behind a directory',
    entries: (_, fromCode) => [{ name: `a/../${fromCode}`, content: mark }],
  },
  {
    title: 'writes outside through a symbolic link',
    entries: (target) => [
      { name: 'door', content: dirname(target), mode: linkMode },
      { name: 'door/planted', content: mark },
    ],
  },
  {
    title: 'writes outside through a name that is a link and then a file',
    entries: (target) => [
      { name: 'twice', content: target, mode: linkMode },
      { name: 'twice', content: mark },
    ],
  },
];

/** Joins names and writes, as one would on the first day. */
function unpackNaively(entries: readonly ZipEntry[], directory: string): void {
  for (const { name, content = '', mode } of entries) {
    const text = String(name);
    const path = text.startsWith('/') ? text : `${directory}/${text}`;
    if (mode === linkMode) symlinkSync(String(content), path);
    else {
      mkdirSync(dirname(path.replace('/a/../', '/')), { recursive: true });
      writeFileSync(path.replace('/a/../', '/'), content);
    }
  }
}

type PackageAttack = { readonly title: string; attack(place: AttackServer, directory: string): Promise<void> };

const escaping: readonly PackageAttack[] = escapes.map(({ title, entries }) => ({
  title,
  async attack(place, directory) {
    // The positive control is outside of the platform: unpacking is not the tier's.
    const naive = join(directory, 'naive', 'code');
    mkdirSync(naive, { recursive: true });
    unpackNaively(entries(join(directory, 'naive', 'planted'), '../planted'), naive);
    assert.equal(readFileSync(join(directory, 'naive', 'planted'), 'utf8'), mark, 'a naive unpacker is led outside');

    const target = join(directory, 'planted');
    const { dataDir } = place.server;
    const { status } = await place.create(`e-${randomBytes(6).toString('hex')}`, {
      code: { zipFile: buildZip([index, ...entries(target, '../planted')]).toString('base64') },
    });
    assert.equal(status, 400);
    assert.ok(!existsSync(target), 'nothing outside');
    assert.deepEqual(filesWith(dataDir, 'planted'), [], 'nothing beside the package');
  },
}));

function filesWith(directory: string, name: string): string[] {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(`/${name}`));
}

/** Entries of kinds that code has no use for: refused, or nothing but plain files in what lies on the disk. */
const kinds: readonly (readonly [title: string, entry: ZipEntry])[] = [
  ['brings a block device', { name: 'odd', mode: 0o060666 }],
  ['brings a character device', { name: 'odd', mode: 0o020666 }],
  ['brings a named pipe', { name: 'odd', mode: 0o010666 }],
  ['brings a socket', { name: 'odd', mode: 0o140666 }],
  ['brings a set-user-id program', { name: 'odd', content: '#!/bin/sh\n', mode: 0o106755 }],
];

const odd: readonly PackageAttack[] = kinds.map(([title, entry]) => ({
  title,
  async attack(place) {
    const fresh = { name: `${randomBytes(8).toString('hex')}.txt`, content: 'x' };
    const { status } = await place.create(`k-${randomBytes(6).toString('hex')}`, {
      code: { zipFile: buildZip([index, fresh, entry]).toString('base64') },
    });
    // Control: the zip does say what it says, by the mode in its directory of entries.
    assert.ok(buildZip([entry]).includes(modeBytes(entry.mode ?? 0)), 'the mode is in the zip');
    const [there] = filesWith(place.server.dataDir, fresh.name);
    if (there === undefined) return void assert.equal(status, 400);
    const { mode } = lstatSync(join(place.server.dataDir, dirname(there), 'odd'));
    assert.equal(mode & 0o170000, 0o100000, 'a plain file');
    assert.equal(mode & 0o7000, 0, 'without special bits');
  },
}));

function modeBytes(mode: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((mode << 16) >>> 0);
  return bytes;
}

const bombs: readonly PackageAttack[] = [
  {
    title: 'unpacks to more than it says',
    async attack(place) {
      const content = Buffer.alloc(8 << 20);
      const bomb = buildZip([index, { name: 'zeros', content, saidSize: 10 }]);
      assert.ok(bomb.length < content.length / 100, 'a bomb: a hundredth of what comes out');
      const { status } = await place.create(`b-${randomBytes(6).toString('hex')}`, {
        code: { zipFile: bomb.toString('base64') },
      });
      assert.equal(status, 400);
      assert.deepEqual(filesWith(place.server.dataDir, 'zeros'), []);
    },
  },
];

export const packageAttacks: readonly PackageAttack[] = [...escaping, ...odd, ...bombs];

/** Runs before the platform's own code in its interpreter, and tries what it must not reach. */
const early = (canary: string) => `
import builtins
try:
    builtins.reached = 'secret-' in open(${JSON.stringify(canary)}).read()
except OSError:
    builtins.reached = False
`;
const tells = `
import builtins, json
def handler(event, context):
    return json.dumps({'found': {True: 'reached', False: 'kept in'}.get(getattr(builtins, 'reached', None), 'did not run')})
`;
const tellsInNode =
  'exports.handler = (event, context, callback) => callback(null, { found: globalThis.found ?? "did not run" });\n';
const earlyInNode = (canary: string) => `
try { globalThis.found = require('fs').readFileSync(${JSON.stringify(canary)}, 'utf8').includes('secret-') ? 'reached' : 'kept in'; }
catch { globalThis.found = 'kept in'; }
`;

const tellsOfPreload = `
import json, os
def handler(event, context):
    return json.dumps({'found': os.environ.get('EARLY', 'did not run')})
`;

function hasCompiler(): boolean {
  return spawnSync('cc', ['--version']).status === 0;
}

/** A library that runs when it is loaded. */
function compileEarly(canary: string): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'yunmen-early-'));
  try {
    const source = `#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void run(void) {
  FILE *file = fopen(${JSON.stringify(canary)}, "r");
  setenv("EARLY", file == NULL ? "kept in" : "reached", 1);
  if (file != NULL) fclose(file);
}
`;
    writeFileSync(join(directory, 'early.c'), source);
    execFileSync('cc', ['-shared', '-fPIC', '-o', 'early.so', 'early.c'], { cwd: directory });
    return readFileSync(join(directory, 'early.so'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

type Startup = {
  readonly title: string;
  readonly environment: Readonly<Record<string, string>>;
  files(canary: string): Readonly<Record<string, string | Buffer>>;
  readonly runtime: string;
};

const startups: readonly Startup[] = [
  {
    title: 'runs a sitecustomize before the platform and reaches out',
    environment: { PYTHONPATH: '.' },
    files: (canary) => ({ 'index.py': tells, 'sitecustomize.py': early(canary) }),
    runtime: 'python3.10',
  },
  {
    title: "puts its own module in the place of the library's and reaches out",
    environment: { PYTHONPATH: '.' },
    files: (canary) => ({
      'index.py': tells,
      'sitecustomize.py': 'import inner_startup\n',
      'inner_startup.py': early(canary),
    }),
    runtime: 'python3.10',
  },
  {
    title: 'has Node load a file before the platform and reaches out',
    environment: { NODE_OPTIONS: '--require ./early.js' },
    files: (canary) => ({ 'index.js': tellsInNode, 'early.js': earlyInNode(canary) }),
    runtime: 'nodejs20',
  },
  ...(hasCompiler()
    ? [
        {
          title: 'has a library preloaded before the platform and reaches out',
          environment: { LD_PRELOAD: './early.so' },
          files: (canary: string) => ({ 'index.py': tellsOfPreload, 'early.so': compileEarly(canary) }),
          runtime: 'python3.10',
        },
      ]
    : []),
];

/** Answers `reached`, `kept in` or, when the start-up file was not run at all, `did not run`. */
export const startupAttacks: readonly { readonly title: string; attack(place: AttackServer): Promise<unknown> }[] =
  startups.map(({ title, environment, files, runtime }) => ({
    title,
    async attack(place) {
      const name = `s-${randomBytes(6).toString('hex')}`;
      const entries = Object.entries(files(String(place.given['canary'])));
      const zip = buildZip(entries.map(([path, content]) => ({ name: path, content })));
      const code = { zipFile: zip.toString('base64') };
      const { status, message } = await place.create(name, {
        code,
        runtime,
        memorySize: 512,
        environmentVariables: environment,
      });
      assert.equal(status, 200, message);
      const answer = await place.invoke(name, {});
      return answer['found'] ?? answer;
    },
  }));
