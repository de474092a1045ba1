// How an instance looks inside bubblewrap: the arguments that build its root. Used by instance-processes.ts and probe.ts.
import { existsSync, lstatSync, mkdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { sandboxCodePath, sandboxSocketDirectory } from './placement.ts';
import type { LaunchSpec } from './port.ts';

/**
 * mapped: a user namespace shows the launcher's own user as uid 10003. dropped: the launcher is root, and a real
 * uid 10003 runs the instance (setpriv changes to it inside), so that nothing of the host takes it for root.
 */
export type BubblewrapSetup = {
  readonly bubblewrap: string;
  readonly user: { readonly kind: 'mapped' } | { readonly kind: 'dropped'; readonly setpriv: string };
  /** Holds the made-up passwd and group files. */
  readonly etcDirectory: string;
};

/** Source: docs (uid and gid 10003, home /tmp, 512 MB in /tmp). */
export const instanceUid = 10003;
const tmpBytes = 512 * 1024 * 1024;

/** Files of the host's /etc that programs need to resolve names, check certificates and find libraries. */
const sharedEtc = [
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'alternatives',
  'resolv.conf',
  'hosts',
  'nsswitch.conf',
  'services',
  'protocols',
  'mime.types',
  'ssl/certs',
  'ssl/openssl.cnf',
  'ca-certificates',
  'pki/tls/certs',
];

/** Writes the files of etcDirectory. */
export function writeEtc(etcDirectory: string): void {
  mkdirSync(etcDirectory, { recursive: true, mode: 0o755 });
  writeFileSync(
    `${etcDirectory}/passwd`,
    `root:x:0:0:root:/root:/sbin/nologin\nuser${instanceUid}:x:${instanceUid}:${instanceUid}::/tmp:/sbin/nologin\n`,
  );
  writeFileSync(`${etcDirectory}/group`, `root:x:0:\nuser${instanceUid}:x:${instanceUid}:\n`);
}

/** What a sandbox shows besides the system: an instance's own things, or nothing for the probe. */
export type SandboxContents = Pick<LaunchSpec, 'argv' | 'environment' | 'readOnly'> & {
  readonly codeDirectory: string | null;
  readonly socketDirectory: string | null;
};

/**
 * The command that runs `contents.argv` in a sandbox.
 *
 * `hidden` are arguments for bubblewrap that must not stand on a command line (the environment holds secrets, and an
 * environment given to bubblewrap itself would act on it outside): they go through fd 3, each ended by a zero byte.
 */
export function sandboxCommand(
  setup: BubblewrapSetup,
  contents: SandboxContents,
): { readonly file: string; readonly args: readonly string[]; readonly hidden: Buffer } {
  const { codeDirectory, socketDirectory } = contents;
  const binds = [
    ...contents.readOnly.filter(({ from }) => !isUnder(from, '/usr')),
    ...(codeDirectory === null ? [] : [{ from: codeDirectory, to: sandboxCodePath }]),
    ...(socketDirectory === null ? [] : [{ from: socketDirectory, to: sandboxSocketDirectory }]),
  ];
  const hidden = [
    ...namespaces(setup),
    ...systemRoot(setup.etcDirectory),
    ...parents(binds.map(({ to }) => to)),
    ...binds.flatMap(({ from, to }) => ['--ro-bind', from, to]),
    '--remount-ro',
    '/',
    '--chdir',
    codeDirectory === null ? '/' : sandboxCodePath,
    '--clearenv',
    ...Object.entries(contents.environment).flatMap(([name, value]) => ['--setenv', name, value]),
  ];
  return {
    file: setup.bubblewrap,
    args: ['--args', '3', '--', ...changeUser(setup), ...contents.argv],
    hidden: Buffer.from(hidden.map((each) => `${each}\0`).join('')),
  };
}

function namespaces({ user }: BubblewrapSetup): string[] {
  const common = ['--die-with-parent', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'];
  const rest = ['--hostname', 'fc', '--new-session', '--cap-drop', 'ALL'];
  switch (user.kind) {
    case 'mapped':
      return [...common, ...rest, '--unshare-user', '--uid', String(instanceUid), '--gid', String(instanceUid)];
    case 'dropped':
      return [...common, ...rest, '--cap-add', 'CAP_SETUID', '--cap-add', 'CAP_SETGID', '--cap-add', 'CAP_SETPCAP'];
  }
}

function changeUser({ user }: BubblewrapSetup): readonly string[] {
  switch (user.kind) {
    case 'mapped':
      return [];
    case 'dropped': {
      const id = String(instanceUid);
      const ids = ['--reuid', id, '--regid', id, '--clear-groups'];
      return [user.setpriv, ...ids, '--inh-caps=-all', '--bounding-set=-all', '--no-new-privs', '--'];
    }
  }
}

/** /usr and its links, a minimal /etc, private /proc, /dev, /tmp. */
function systemRoot(etcDirectory: string): string[] {
  const args = ['--ro-bind', '/usr', '/usr'];
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    const path = `/${name}`;
    if (!existsSync(path)) continue;
    if (lstatSync(path).isSymbolicLink()) args.push('--symlink', readlinkSync(path), path);
    else args.push('--ro-bind', path, path);
  }
  args.push(...parents(sharedEtc.map((name) => `/etc/${name}`)));
  for (const name of sharedEtc) args.push('--ro-bind-try', `/etc/${name}`, `/etc/${name}`);
  for (const name of ['passwd', 'group']) args.push('--ro-bind', `${etcDirectory}/${name}`, `/etc/${name}`);
  args.push('--proc', '/proc', '--dev', '/dev', '--dir', '/opt', '--dir', '/var');
  args.push('--perms', '1777', '--size', String(tmpBytes), '--tmpfs', '/tmp', '--symlink', '../tmp', '/var/tmp');
  return args;
}

/** Makes the directories above `paths` readable by all; bubblewrap itself would keep them to root. */
function parents(paths: readonly string[]): string[] {
  const directories = new Set<string>();
  for (const path of paths) {
    const names = path.split('/').slice(1, -1);
    for (let depth = 1; depth <= names.length; depth += 1) directories.add(`/${names.slice(0, depth).join('/')}`);
  }
  return [...directories].flatMap((directory) => ['--dir', directory]);
}

function isUnder(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
