import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CliError } from './errors.ts';
import { packCode, surveyCode } from './pack.ts';

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'yunmen-pack-'));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Entry names with their unix mode in octal, read from the zip's central directory. */
function entriesOf(zip: Buffer): [string, string][] {
  const entries: [string, string][] = [];
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const nameLength = zip.readUInt16LE(at + 28);
    const mode = zip.readUInt32LE(at + 38) >>> 16;
    entries.push([zip.toString('utf8', at + 46, at + 46 + nameLength), mode.toString(8)]);
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return entries;
}

const failure = (pattern: RegExp) => (error: unknown) =>
  error instanceof CliError && error.exitCode === 1 && pattern.test(error.message);

test('the same files make the same bytes, whatever their order, times and time zone', async () => {
  await inFolder(async (folder) => {
    for (const name of ['one', 'two']) {
      await mkdir(join(folder, name, 'lib'), { recursive: true });
      const files = name === 'one' ? ['b.py', 'a.py', 'lib/c.py'] : ['lib/c.py', 'a.py', 'b.py'];
      for (const file of files) await writeFile(join(folder, name, file), `# ${file}\n`.repeat(50));
    }
    await utimes(join(folder, 'two', 'a.py'), 1, 1);
    const one = await packCode(join(folder, 'one'));
    assert.ok(one.equals(await packCode(join(folder, 'two'))));
    const script = `import { packCode } from ${JSON.stringify(new URL('pack.ts', import.meta.url).href)};
      process.stdout.write(await packCode(${JSON.stringify(join(folder, 'one'))}));`;
    for (const TZ of ['Asia/Shanghai', 'America/New_York']) {
      const elsewhere = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        env: { ...process.env, TZ },
      });
      assert.ok(one.equals(elsewhere), TZ);
    }
  });
});

test('executable bits and links inside the folder are kept; our data, git and caches are left out', async () => {
  await inFolder(async (folder) => {
    for (const path of ['.yunmen', '.git', 'node_modules/.cache/x', 'node_modules/dep', 'state']) {
      await mkdir(join(folder, path), { recursive: true });
      await writeFile(join(folder, path, 'file'), 'x');
    }
    await writeFile(join(folder, 'bootstrap'), '#!/bin/sh\n');
    await chmod(join(folder, 'bootstrap'), 0o755);
    await writeFile(join(folder, 'index.js'), '');
    await chmod(join(folder, 'index.js'), 0o600);
    await symlink('index.js', join(folder, 'main.js'));
    assert.deepEqual(entriesOf(await packCode(folder, [join(folder, 'state')])), [
      ['bootstrap', '100755'],
      ['index.js', '100644'],
      ['main.js', '120777'],
      ['node_modules/dep/file', '100644'],
    ]);
  });
});

test('a zip is passed as it is', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'code.zip'), 'any bytes');
    assert.equal((await packCode(join(folder, 'code.zip'))).toString(), 'any bytes');
  });
});

test('a single file becomes the only entry', async () => {
  await inFolder(async (folder) => {
    await writeFile(join(folder, 'index.py'), 'x');
    assert.deepEqual(entriesOf(await packCode(join(folder, 'index.py'))), [['index.py', '100644']]);
  });
});

test('refuses links that lead outside, empty folders, missing paths and packages over 100 MB, naming the path', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'empty'));
    await assert.rejects(packCode(join(folder, 'empty')), failure(/empty holds no files/));
    await assert.rejects(packCode(join(folder, 'missing')), failure(/no folder or zip .*missing/));
    await mkdir(join(folder, 'links'));
    for (const target of ['../empty', '/etc/passwd']) {
      await symlink(target, join(folder, 'links', 'out'));
      await assert.rejects(packCode(join(folder, 'links')), failure(/links\/out is a link to .* outside/));
      await rm(join(folder, 'links', 'out'));
    }
    await writeFile(join(folder, 'big.zip'), '');
    await truncate(join(folder, 'big.zip'), 104_857_601);
    await assert.rejects(packCode(join(folder, 'big.zip')), failure(/larger than 100 MB/));
  });
});

test('a survey looks the same while nothing changes and other after any change, whatever times a tool gives the files', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'lib', 'a.py');
    await mkdir(join(folder, 'lib'));
    await writeFile(file, 'one');
    await writeFile(join(folder, 'index.py'), 'x');
    await utimes(file, 1, 1);
    const { ctimeMs } = await stat(file);
    const first = await surveyCode(folder);
    assert.equal((await surveyCode(folder)).print, first.print);
    const seen = new Set([first.print]);
    const changes: readonly (() => Promise<void>)[] = [
      async () => {
        // The file system tells times 10 ms apart on Linux: a change before that is what settlesAt warns of.
        for (;;) {
          await writeFile(file, 'two');
          await utimes(file, 1, 1);
          if ((await stat(file)).ctimeMs !== ctimeMs) return;
        }
      },
      () => chmod(file, 0o755),
      () => symlink('lib', join(folder, 'link')),
      () => rm(join(folder, 'index.py')),
    ];
    for (const [at, change] of changes.entries()) {
      await change();
      seen.add((await surveyCode(folder)).print);
      assert.equal(seen.size, at + 2);
    }
  });
});

test('what is packed quickly holds the same entries, as they are, and the same bytes each time', async () => {
  await inFolder(async (folder) => {
    await mkdir(join(folder, 'code', 'bin'), { recursive: true });
    for (let each = 0; each < 40; each += 1)
      await writeFile(join(folder, 'code', `${each}.py`), `# ${each}\n`.repeat(99));
    await writeFile(join(folder, 'code', 'bin', 'tool'), '#!/bin/sh\n', { mode: 0o755 });
    await symlink('bin/tool', join(folder, 'code', 'link'));
    const survey = await surveyCode(join(folder, 'code'));
    const quick = await survey.packQuickly();
    assert.deepEqual(entriesOf(quick), entriesOf(await survey.pack()));
    assert.ok(quick.includes('# 7\n'.repeat(99)), 'not compressed');
    assert.ok(quick.equals(await (await surveyCode(join(folder, 'code'))).packQuickly()));
    await truncate(join(folder, 'code', '0.py'), 17 * 1024 * 1024);
    const large = await surveyCode(join(folder, 'code'));
    assert.ok((await large.packQuickly()).equals(await large.pack()), 'what is large is compressed');
  });
});

test('a survey made within the grain of the times of its files is not settled', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'index.py');
    await writeFile(file, 'x');
    const { ctimeMs } = await stat(file);
    const { settlesAt } = await surveyCode(folder);
    assert.ok(settlesAt >= Math.floor(ctimeMs) + 20, `${settlesAt} of ${ctimeMs}`);
    assert.equal((await surveyCode(file)).settlesAt, settlesAt);
  });
});
