// What a running server's instances hold of the machine, counted, and what an instance's processes are.
import { existsSync, globSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ProcessMark, processTree, type TestServer } from './server.ts';

/** As it stands now; `{}` of two moments are equal when nothing was left between them. */
export function holdings({ facts: { pids, runDir } }: TestServer) {
  const [data, launcher] = [descriptors(pids.data), descriptors(pids.launcher)];
  const sockets = (links: readonly string[]) => links.filter((link) => link.startsWith('socket:')).length;
  return {
    processes: processTree(pids.launcher).length,
    sockets: { data: sockets(data), launcher: sockets(launcher), bound: boundSockets(`${runDir}/i`) },
    descriptors: launcher.length,
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

/** The first processes of the instances that there are now, each with everything below it. */
export function instanceTrees({ facts: { pids } }: TestServer): ProcessMark[][] {
  const children = readFileSync(`/proc/${pids.launcher}/task/${pids.launcher}/children`, 'utf8');
  return children.split(' ').flatMap((pid) => (pid === '' ? [] : [processTree(Number(pid))]));
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
