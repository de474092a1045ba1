// What a running server's instances hold of the machine, counted, and what an instance's processes are.
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { childrenOf, type ProcessMark, processTree, type TestServer } from './server.ts';

/** As it stands now; `{}` of two moments are equal when nothing was left between them. */
export function holdings(server: TestServer) {
  const { pids, runDir } = server.facts;
  const [data, launcher] = [descriptors(pids.data), descriptors(pids.launcher)];
  // Each directory of languages that it may show is opened once, when control has found it; that may be after the first call.
  const shown = new Set(launcher.filter((link) => /^\/(?!dev\/)/.test(link) && !link.startsWith(runDir)));
  const sockets = (links: readonly string[]) => links.filter((link) => link.startsWith('socket:')).length;
  return {
    processes: instanceTrees(server).flat().length,
    sockets: { data: sockets(data), launcher: sockets(launcher), bound: boundSockets(`${runDir}/i`) },
    descriptors: launcher.length - shown.size,
    namespaces: launcher.filter((link) => /^(mnt|user|pid|net|ipc|uts|cgroup):/.test(link)).length,
    mounts: mounts(pids.launcher, runDir),
    groups: groupsOf(runDir).filter((path) => basename(path).includes('.c-')).length,
    slots: ['i', 't'].flatMap((each) => (existsSync(join(runDir, each)) ? readdirSync(join(runDir, each)) : [])).length,
  };
}

/** What a server that has ended left behind, in words. Its processes are not among it. */
export function remainsOf(runDir: string): string[] {
  return [
    ...(existsSync(runDir) ? [runDir] : []),
    ...(boundSockets(runDir) > 0 ? ['a socket'] : []),
    ...(mounts('self', runDir) > 0 ? ['a mount'] : []),
    ...groupsOf(runDir),
  ];
}

/**
 * The first processes of the instances that there are now, each with everything below it. Those that have left their tree, as
 * the launcher in Node lets them, are with the first.
 */
export function instanceTrees({ facts: { pids, runDir } }: TestServer): ProcessMark[][] {
  const children = readFileSync(`/proc/${pids.launcher}/task/${pids.launcher}/children`, 'utf8');
  const all = children.split(' ').filter((pid) => pid !== '' && !isOfLauncher(pid));
  const [first, ...others] = all.map((pid) => processTree(Number(pid)));
  return first === undefined ? [] : [[...first, ...strays(runDir)], ...others];
}

/** Whose parent has gone, by what is in their environment. Only that of the user's processes is read to whom the instances belong. */
function strays(runDir: string): ProcessMark[] {
  const ids = readdirSync(join(runDir, 'i'));
  const { uid } = statSync(join(runDir, 'i'));
  if (uid === 0) return []; // there they cannot leave it
  return childrenOf(1).flatMap(({ pid }) => {
    try {
      if (statSync(`/proc/${pid}`).uid !== uid) return [];
      const environment = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
      return ids.some((id) => environment.includes(`FC_INSTANCE_ID=${id}`)) ? processTree(pid) : [];
    } catch {
      return []; // it has gone meanwhile
    }
  });
}

/** Sandd has children that are no instances: one keeps pasta, one looks once whether the host's firewall lets pass what instances send. */
function isOfLauncher(pid: string): boolean {
  try {
    return ['sandd-pasta', 'sandd-trial'].includes(readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
  } catch {
    return true; // it has gone meanwhile
  }
}

function descriptors(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return ''; // it was closed meanwhile
    }
  });
}

/** Sockets of the file system below the directory, those that were accepted there among them. */
function boundSockets(directory: string): number {
  return readFileSync('/proc/net/unix', 'utf8').split(`${directory}/`).length - 1;
}

function mounts(pid: number | 'self', runDir: string): number {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split(basename(runDir)).length - 1;
}

/** Control groups of a server and of its instances, of version 1 or 2, wherever the server was started. */
export function groupsOf(runDir: string): string[] {
  const name = `yunmen-${basename(runDir)}`;
  const depths = ['', '*/', '*/*/', '*/*/*/'];
  return globSync(
    depths.flatMap((depth) => [`/sys/fs/cgroup/${depth}${name}{,.*}/`, `/sys/fs/cgroup/${depth}${name}/*/`]),
  );
}
