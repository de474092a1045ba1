// A log store on disk: what is appended is there, in bounded files that only their owner reads.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { DeliveredLog, type DeliveredLogOptions } from './delivered-log.ts';

const root = mkdtempSync(join(tmpdir(), 'yunmen-delivered-'));
after(() => rmSync(root, { recursive: true, force: true }));
let counter = 0;

async function open(more: Partial<DeliveredLogOptions> = {}) {
  const directory = join(root, String(++counter));
  const errors: unknown[] = [];
  const options = {
    directory,
    project: 'my-project',
    logstore: 'my_store',
    onError: (error: unknown) => errors.push(error),
  };
  const log = await DeliveredLog.open({ ...options, ...more });
  return { log, errors, directory, path: join(directory, 'my-project', 'my_store.jsonl') };
}
const line = (n: number) => Buffer.from(`{"line":"${String(n).padStart(4, '0')}"}\n`);

describe('a delivered log', () => {
  it('holds what was appended, in order, for its owner alone, and goes on with it when it is opened again', async () => {
    const { log, path, directory, errors } = await open();
    for (let n = 0; n < 3; n++) assert.ok(log.append(line(n)));
    await log.close();
    const again = await DeliveredLog.open({
      ...{ directory, project: 'my-project', logstore: 'my_store' },
      onError: (error) => errors.push(error),
    });
    again.append(line(3));
    await again.close();
    assert.equal(readFileSync(path, 'utf8'), [0, 1, 2, 3].map((n) => String(line(n))).join(''));
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(statSync(join(directory, 'my-project')).mode & 0o777, 0o700);
    assert.deepEqual(errors, []);
  });

  it('ends a line that a crash cut, so that it spoils no other', async () => {
    const { log, path, directory } = await open();
    await log.close();
    writeFileSync(path, '{"line":"cu');
    const again = await DeliveredLog.open({
      ...{ directory, project: 'my-project', logstore: 'my_store' },
      onError: () => {},
    });
    again.append(line(1));
    await again.close();
    assert.equal(readFileSync(path, 'utf8'), `{"line":"cu\n${line(1)}`);
  });

  it('sets files aside and loses the oldest', async () => {
    const { log, path, directory } = await open({ bounds: { fileBytes: 2 * line(0).length, files: 3 } });
    for (let n = 0; n < 9; n++) {
      log.append(line(n));
      await log.flush();
    }
    await log.close();
    assert.deepEqual(readdirSync(join(directory, 'my-project')).sort(), [
      ...['my_store.jsonl', 'my_store.jsonl.1', 'my_store.jsonl.2'],
    ]);
    const linesOf = (suffix: string) => readFileSync(`${path}${suffix}`, 'utf8');
    assert.equal(linesOf(''), String(line(8)));
    assert.equal(linesOf('.1'), `${line(6)}${line(7)}`);
    assert.equal(linesOf('.2'), `${line(4)}${line(5)}`);
  });

  it('drops what the disk is too slow for, and says so', async () => {
    const { log, path } = await open({ bounds: { waitingBytes: line(0).length } });
    assert.deepEqual([log.append(line(0)), log.append(line(1)), log.append(line(2))], [true, false, false]);
    await log.close();
    assert.equal(readFileSync(path, 'utf8'), String(line(0)));
  });

  it('does not leave its directory, by a name or by a link', async () => {
    for (const names of [{ project: '../etc' }, { project: '..' }, { logstore: 'a/b/c' }, { logstore: 'x.jsonl' }]) {
      await assert.rejects(open(names), /not the name of a log store/);
    }
    const { log, path } = await open();
    await log.close();
    const outside = join(root, 'outside');
    writeFileSync(outside, '');
    rmSync(path);
    symlinkSync(outside, path);
    const options = { directory: join(root, String(counter)), project: 'my-project', logstore: 'my_store' };
    await assert.rejects(DeliveredLog.open({ ...options, onError: () => {} }), { code: 'ELOOP' });
  });
});
