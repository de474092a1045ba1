// A sandd of its own for a test, as the launchers' contract wants it. Used by the sandd tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { randomHex } from '../../src/base/ids.ts';
import {
  connectSandd,
  findInterpreters,
  type IsolationTier,
  type NetworkPolicy,
  type RunningSandd,
  type SanddClient,
  startSandd,
} from '../../src/functions/index.ts';

export type OpenSandd = {
  readonly launcher: SanddClient;
  readonly sandd: RunningSandd;
  readonly runDir: string;
  readonly token: string;
  /** What it said to the operator. */
  readonly reports: string[];
  close(): Promise<void>;
};

/** `policy`: not null when it is to make networks. */
export async function openSandd(
  path: string,
  tier: IsolationTier,
  policy: NetworkPolicy | null = null,
): Promise<OpenSandd> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const token = randomHex(32);
  const reports: string[] = [];
  const sandd = await startSandd({
    path,
    runDir,
    token,
    tier,
    owner: null,
    policy,
    report: (text) => reports.push(text),
  });
  for (const directory of ['/usr/share', '/tmp']) await sandd.allow(directory);
  const launcher = await connectSandd({ runDir, token, interpreters: findInterpreters, onGone: () => {} });
  return {
    launcher,
    sandd,
    runDir,
    token,
    reports,
    async close() {
      launcher.close();
      await sandd.exited;
      rmSync(runDir, { recursive: true, force: true });
    },
  };
}
