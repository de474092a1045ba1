// Runs broken inputs against a target by the thousand: none may crash, hang or be answered with a 500, and memory stays.
// YUNMEN_TORTURE=1: a million for each target, or YUNMEN_INPUTS; YUNMEN_SEED takes another seed.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { counted, isTorture } from '../../scripts/test/torture.ts';
import { systemClock } from '../../src/base/clock.ts';
import { createGateway } from '../../src/gateway/gateway.ts';
import { defaultGatewaySettings } from '../../src/gateway/settings.ts';
import { returned } from '../../src/gateway/testing.ts';
import type { Change } from '../../src/model/published.ts';
import type { RequestRecord } from '../../src/model/record.ts';
import { writeDeliveredLine } from '../../src/wire/delivered-line.ts';
import { createTimeWriter, readLogLine, writeLogLine } from '../../src/wire/request-log-line.ts';

export const inputs = Number(process.env['YUNMEN_INPUTS'] ?? counted(10_000, 1_000_000));
export const timeout = isTorture ? 3_600_000 : 120_000;
export const seed = Number(process.env['YUNMEN_SEED'] ?? 20261122);
const grownLimitMb = 20;
/** An input that is not done after one such time and another, in most of which the process could run, hangs; ms. */
const hangMs = 10_000;

setFlagsFromString('--expose-gc');
const collectGarbage: (how: object) => void = runInNewContext('gc');
/**
 * A collection as before the heap gives out: one of the usual kind keeps the pages that it empties, and those are tens of megabytes
 * that nothing holds. A short run still warms up (compiled code), so there only what is held counts.
 */
export const collect = () => {
  for (let times = 0; times < 2; times++) collectGarbage({ type: 'major', execution: 'sync', flavor: 'last-resort' });
};
const usedMb = () => {
  collect();
  const { rss, heapUsed } = process.memoryUsage();
  return (isTorture ? rss : heapUsed) / 1024 ** 2;
};

export type Target = {
  readonly atOnce: number;
  /** Inputs in what make() gives. Default: 1. */
  readonly each?: number;
  readonly count?: number;
  readonly make: () => string;
  /** An answer, or one for each input. */
  readonly send: (input: string) => Promise<string | readonly string[]>;
};

/** Runs `send` with every input, `atOnce` together; counts answers by their text. */
export async function fuzz(t: TestContext, how: Target): Promise<void> {
  const seen = new Map<string, number>();
  const { count = inputs, each = 1 } = how;
  let left = count;
  let grownFrom = 0;
  const looks = [0.8, 0.7, 0.6, 0.5].map((part) => Math.floor(count * part));
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= each;
      // The most of several looks: memory goes up and down by itself.
      if (looks[0] !== undefined && left <= looks[0]) {
        looks.shift();
        grownFrom = Math.max(grownFrom, usedMb());
      }
      const input = how.make();
      const hang = Promise.withResolvers<never>();
      const cancel = onHang(() => hang.reject(new Error('it hangs')));
      try {
        const answers = [await Promise.race([how.send(input), hang.promise])].flat();
        for (const answer of answers) seen.set(answer, (seen.get(answer) ?? 0) + 1);
      } catch (cause) {
        left = 0;
        const shown = Buffer.from(input, 'latin1').toString('base64');
        throw new Error(`seed ${seed}, input (base64) ${shown}`, { cause });
      } finally {
        cancel();
      }
    }
  };
  await Promise.all(Array.from({ length: how.atOnce }, worker));
  const grown = usedMb() - grownFrom;
  const counts = [...seen].sort((a, b) => b[1] - a[1]).map(([answer, times]) => `${answer} ${times}`);
  t.diagnostic(
    `seed ${seed}, ${count} inputs, ${isTorture ? 'RSS' : 'heap'} ${grown.toFixed(1)} MB more; ${counts.slice(0, 12).join(', ')}`,
  );
  assert.ok(grown <= grownLimitMb, `memory grew by ${grown} MB`);
  assert.ok(seen.size > 2, 'it sees more than one kind of answer');
}

/** Calls `run` when what begins now hangs; the result cancels. */
function onHang(run: () => void): () => void {
  let waitedBefore: number | null = null;
  let cancel = systemClock.after(hangMs, look);
  function look() {
    const waited = waitedMs();
    if (waitedBefore !== null && waited - waitedBefore < hangMs / 2) return run();
    waitedBefore = waited;
    cancel = systemClock.after(hangMs, look);
  }
  return () => cancel();
}

/** How long the process was ready to run and others had the processor, ms. 0 where the kernel does not tell. */
function waitedMs(): number {
  const path = '/proc/self/schedstat';
  return existsSync(path) ? Number(readFileSync(path, 'latin1').split(' ')[1]) / 1e6 : 0;
}

/** A gateway with what is published, whose function always answers. */
export async function openGateway(changes: readonly Change[]) {
  const bugs: unknown[] = [];
  let reported = 0;
  const gateway = createGateway({
    clock: systemClock,
    claimNonce: () => true,
    count: () => -1,
    report: (record) => {
      reported += 1;
      try {
        checkRecord(record);
      } catch (error) {
        bugs.push(error);
      }
    },
    reportBug: (error) => bugs.push(error),
    settings: defaultGatewaySettings,
    // No name leads anywhere: broken definitions must not reach real hosts.
    outbound: { resolve: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })) },
    invoke: async () => returned({ statusCode: 200, body: 'reached' }),
  });
  await gateway.apply({ version: 1, changes });
  return { gateway, bugs, reported: () => reported };
}

const timeOf = createTimeWriter();
const owner = { accountId: '1', regionId: 'cn-hangzhou', instanceId: 'i', group: null };

/** Whatever came, its record is one line of each log, which is read again as it was written. */
export function checkRecord(record: RequestRecord): void {
  const line = writeLogLine(record, timeOf);
  assert.equal(line.indexOf('\n'), line.length - 1, 'one line');
  const { requestId, method, host, path, nonce, appKey, customTraceId, logged } = record;
  const written = { requestId, method, host, path, nonce, appKey, customTraceId, logged };
  const read = readLogLine(line);
  for (const [name, value] of Object.entries(written))
    assert.deepEqual(read?.[name as keyof typeof written], value, name);
  const delivered = writeDeliveredLine(record, owner);
  assert.equal(delivered.indexOf('\n'), delivered.length - 1, 'one line');
  assert.equal(JSON.parse(delivered).path, path);
}

/** The answer's code, or its status; throws on a bug and on a 500. */
export function judge(status: number, code: string | null, bugs: readonly unknown[]): string {
  if (bugs.length > 0) throw new Error('a bug', { cause: bugs[0] });
  if (status === 500) throw new Error(`a 500 (${code})`);
  return code ?? String(status);
}

export const words = [
  '%',
  '%00',
  '%2F',
  '%ff',
  '%c0%af',
  '..',
  '//',
  '/*',
  '[a]',
  '\r\n',
  '\n',
  '\0',
  '\xe7\x8c\xab',
  '\xff',
  '+',
  '&',
  '=',
  '?',
  '#',
  ';',
  ',',
  ':',
  ' ',
  '\t',
  '__proto__',
  'constructor',
  'chunked',
  'Transfer-Encoding: chunked\r\n',
  'Content-Length: 5\r\n',
  'Expect: 100-continue\r\n',
  'Connection: close\r\n',
  'X-Ca-Stage: TEST\r\n',
  'charset=utf-16',
  'charset=gb18030',
  '99999999999999999999',
  '-1',
  'null',
  '"',
  '\\u0000',
  '{',
  '}',
  '[',
  ']',
];
