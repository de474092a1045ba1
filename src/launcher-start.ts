// Starts the launcher: sandd when it is there and has the tier, else the launcher in Node. Used by server.ts.
import { chmodSync, chownSync, statSync } from 'node:fs';
import type { Log } from './base/log.ts';
import { startOwnProcess } from './child-process.ts';
import {
  cleanAfterSandd,
  endInstances,
  findSandd,
  type IsolationTier,
  type NetworkMode,
  probeIsolation,
  probeSandd,
  startSandd,
} from './functions/index.ts';
import { forwardLine } from './isolation-report.ts';
import { chooseNetwork, networkPolicy } from './network-choice.ts';
import { launcherHandlers } from './outlets.ts';
import type { ServerUser } from './server-user.ts';
import type { LauncherSettings } from './settings.ts';

export type StartedLauncher = {
  readonly name: 'launcher';
  /** Which of the two it is: they are spoken to in different words. */
  readonly kind: 'sandd' | 'node';
  readonly tier: string;
  /** What instances get unless their function has less. */
  readonly network: NetworkMode;
  /** What carries their packets out: `kernel`, `pasta`; null in the host's network and where nothing does. */
  readonly carrier: string | null;
  /** sandd's program; null for the launcher in Node. */
  readonly nativePath: string | null;
  readonly pid: number;
  /** Lets it show instances what is in this directory. Null, or why it does not. The one in Node shows what it is told. */
  allow(directory: string): Promise<string | null>;
  /** Lets instances through these directories, whose contents are closed to them as to others, where they need it. */
  openWay(directories: readonly string[]): void;
  /** How it ended. Resolves once. */
  readonly exited: Promise<string>;
  /** It ends every instance, and then itself. */
  close(): void;
  kill(signal: NodeJS.Signals): void;
  /** After its end, however it came about: ends and removes what it could not. */
  cleanUp(): Promise<void>;
};

/** Starts one launcher, for one data process. Errors: rejects with a sentence for the operator; nothing runs then. */
export type BeginLauncher = (place: Pick<LauncherSettings, 'runDir' | 'launcherToken'>) => Promise<StartedLauncher>;

/** `path`: of sandd; null for the launcher in Node, which serves no other user than ours. */
export type ChosenLauncher = {
  readonly path: string | null;
  begin(place: Parameters<BeginLauncher>[0], user: ServerUser | null): Promise<StartedLauncher>;
};

/** Looks once for what all launchers of a server will be. Errors: rejects with sentences for the operator when the tier cannot be had. */
export async function chooseLauncher(
  settings: Omit<LauncherSettings, 'runDir' | 'launcherToken'>,
  log: Log,
): Promise<ChosenLauncher> {
  const native = await chooseNative(settings.isolation);
  // The order is strong, user, restricted: another launcher's user comes before our restricted.
  const isBeaten = native.ok && native.tier === 'restricted' && settings.isolation === null && (await hasBubblewrap());
  if (native.ok && !isBeaten) {
    const { path } = native;
    const onDropped = warnOnce(log);
    return {
      path,
      begin: (place, user) => startNativeLauncher(native, { ...settings, ...place, user, onDropped }, log),
    };
  }
  if (!native.ok && (settings.isolation === 'strong' || settings.isolation === 'restricted')) {
    throw new Error(`the isolation tier '${settings.isolation}' cannot be had here: ${native.why}`);
  }
  const why = native.ok ? 'it has tier user here' : native.why;
  log.warn(`functions are started by the slower launcher: ${why}`);
  return { path: null, begin: (place) => startNodeLauncher({ ...settings, ...place }, log) };
}

/** The launchers of several data processes find the same. */
function warnOnce(log: Log): () => void {
  let isTold = false;
  return () => {
    if (isTold) return;
    isTold = true;
    log.warn(`functions reach nothing beyond this machine: its firewall drops what they send (${forwardLine})`);
  };
}

async function startNativeLauncher(
  { path, tier }: Extract<NativeChoice, { ok: true }>,
  {
    runDir,
    launcherToken,
    network: asked,
    allowedNetworks,
    user,
    onDropped,
  }: LauncherSettings & { user: ServerUser | null; onDropped(): void },
  log: Log,
): Promise<StartedLauncher> {
  const report = (text: string) => log.warn(text);
  const isApart = tier === 'user' || tier === 'strong';
  const policy = !isApart || asked === 'host' ? null : asked === 'none' ? 'none' : networkPolicy(allowedNetworks);
  const begin = () => startSandd({ path, runDir, token: launcherToken, tier, owner: user, policy, report, onDropped });
  const sandd = await (user === null ? begin() : user.asRoot(begin));
  const network = chooseNetwork(asked, isApart ? sandd.noNetwork : `tier '${tier}' has no network namespaces`);
  if (!network.ok) {
    sandd.close();
    await sandd.exited;
    throw new Error(network.why);
  }
  if (network.remark !== null) log.warn(network.remark);
  return {
    ...sandd,
    name: 'launcher',
    kind: 'sandd',
    tier,
    network: network.mode,
    carrier: network.mode === 'host' ? null : sandd.carrier,
    nativePath: path,
    openWay(directories) {
      // In tier user it is a root that has no rights over another user's directories.
      const isNeeded = tier === 'restricted' || (tier === 'user' && user !== null);
      if (!isNeeded || sandd.sharedGroup === null) return;
      const open = openTo(sandd.sharedGroup);
      const all = () => directories.forEach(open);
      if (user === null) all();
      else user.asRoot(all);
    },
    async cleanUp() {
      if (tier === 'none' || tier === 'restricted') await endInstances(runDir);
      if ((await sandd.exited) !== 'exit code 0' && isApart) await cleanAfterSandd(path);
    },
  };
}

async function hasBubblewrap(): Promise<boolean> {
  return (await probeIsolation()).tier === 'user';
}

/** Its members may pass, and see no names. */
function openTo(group: number): (directory: string) => void {
  return (directory) => {
    chownSync(directory, statSync(directory).uid, group);
    chmodSync(directory, 0o710);
  };
}

type NativeChoice =
  | { readonly ok: true; readonly path: string; readonly tier: IsolationTier }
  | { readonly ok: false; readonly why: string };

/** The tier that was asked for or the strongest that works; none only when it was asked for. */
async function chooseNative(isolation: string | null): Promise<NativeChoice> {
  const found = await findSandd();
  if (!found.ok) return found;
  const { path } = found;
  if (isolation === 'none') return { ok: true, path, tier: 'none' };
  const results = await probeSandd(path);
  const reasons: string[] = [];
  for (const tier of ['strong', 'user', 'restricted'] as const) {
    if (isolation !== null && isolation !== tier) continue;
    const result = results.get(tier) ?? 'the probe did not come to an end';
    if (result === 'ok') return { ok: true, path, tier };
    reasons.push(`${tier}: ${result}`);
  }
  return { ok: false, why: reasons.join('; ') || `the native launcher has no tier '${isolation}'` };
}

async function startNodeLauncher(settings: LauncherSettings, log: Log): Promise<StartedLauncher> {
  const network = chooseNetwork(settings.network, 'the launcher in Node makes none');
  if (!network.ok) throw new Error(network.why);
  if (network.remark !== null) log.warn(network.remark);
  const child = await startOwnProcess('launcher', launcherHandlers(log));
  const { pid, exited, channel } = child;
  const close = () => channel.close();
  try {
    const { tier } = (await channel.call('configure', settings)).data as { tier: string };
    const cleanUp = async () => void (await endInstances(settings.runDir));
    const allow = async () => null;
    const openWay = () => {}; // it shows what it is told
    const { kill } = child;
    const kind = { name: 'launcher', kind: 'node', nativePath: null, network: 'host', carrier: null } as const;
    return { ...kind, tier, pid, exited, allow, openWay, close, kill, cleanUp };
  } catch (error) {
    close();
    await exited;
    throw error;
  }
}
