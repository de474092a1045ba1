// Which isolation tiers work here, found out by doing it and looking at the effect. Called at start, before a tier is
// chosen, and by the launcher that has to provide one.
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type BubblewrapSetup, instanceUid, sandboxCommand, writeEtc } from './bubblewrap.ts';
import type { IsolationTier } from './port.ts';

export type MissingTier = {
  readonly tier: IsolationTier;
  readonly why: string;
  /** The one line that would help. */
  readonly install: string;
};

export type IsolationProbe = {
  /** The strongest that works. */
  readonly tier: IsolationTier;
  readonly available: readonly IsolationTier[];
  readonly missing: readonly MissingTier[];
};

export type FoundBubblewrap =
  | { readonly ok: true; readonly setup: BubblewrapSetup }
  | { readonly ok: false; readonly why: string; readonly install: string };

const probeTimeoutMs = 5_000;

/** Tries the tiers that are to be had today. Leaves nothing behind. */
export async function probeIsolation(): Promise<IsolationProbe> {
  const directory = mkdtempSync('/tmp/yunmen-probe-');
  try {
    writeEtc(`${directory}/etc`);
    const found = await findBubblewrap(`${directory}/etc`);
    if (found.ok) return { tier: 'user', available: ['user', 'none'], missing: [] };
    const { why, install } = found;
    return { tier: 'none', available: ['none'], missing: [{ tier: 'user', why, install }] };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A way of using bubblewrap that works here: as root with a user of its own, else with a mapped one. */
export async function findBubblewrap(etcDirectory: string): Promise<FoundBubblewrap> {
  const bubblewrap = findProgram('bwrap');
  if (bubblewrap === null) return { ok: false, why: 'bubblewrap (bwrap) is not installed', install: installLine() };
  const setpriv = process.getuid?.() === 0 ? findProgram('setpriv') : null;
  const setups: BubblewrapSetup[] = [{ bubblewrap, user: { kind: 'mapped' }, etcDirectory }];
  if (setpriv !== null) setups.unshift({ bubblewrap, user: { kind: 'dropped', setpriv }, etcDirectory });
  let why = '';
  for (const setup of setups) {
    const failure = await tryOut(setup);
    if (failure === null) return { ok: true, setup };
    why = failure;
  }
  return { ok: false, why, install: permitLine() };
}

/**
 * What the sandbox is asked: its process id, its uid and capabilities, how many processes it sees, whether it sees a
 * file of the host, and whether it can write to the system.
 */
const question = [
  'echo "pid $$"',
  'while read -r key value rest; do case $key in Uid:) echo "uid $value" ;; CapEff:) echo "caps $value" ;; esac; done < /proc/self/status',
  'if [ -e "$1" ]; then echo "host seen"; else echo "host hidden"; fi',
  'if (: > /usr/.yunmen-probe) 2>/dev/null; then echo "system writable"; else echo "system kept"; fi',
  'if (: > /tmp/probe) 2>/dev/null; then echo "tmp writable"; else echo "tmp kept"; fi',
].join('\n');

/** Null when the effects are there, else what was wrong. */
async function tryOut(setup: BubblewrapSetup): Promise<string | null> {
  const { file, args, hidden } = sandboxCommand(setup, {
    argv: ['/bin/sh', '-c', question, 'sh', `${setup.etcDirectory}/passwd`],
    environment: {},
    readOnly: [],
    codeDirectory: null,
    socketDirectory: null,
  });
  const { output, error } = await run(file, args, hidden);
  if (error !== null) return `bubblewrap cannot make a sandbox here: ${error}`;
  const expected = [/^pid [1-9]$/m, new RegExp(`^uid ${instanceUid}$`, 'm'), /^caps 0+$/m, /^host hidden$/m];
  const all = [...expected, /^system kept$/m, /^tmp writable$/m];
  const lacking = all.filter((form) => !form.test(output)).map((form) => form.source);
  return lacking.length === 0 ? null : `the sandbox did not hold what it promised (${lacking.join(', ')})`;
}

function run(
  file: string,
  args: readonly string[],
  hidden: Buffer,
): Promise<{ readonly output: string; readonly error: string | null }> {
  return new Promise((resolve) => {
    // execFile has no fourth descriptor; the shell hands standard input on as fd 3.
    const shell = ['-c', 'exec "$@" 3<&0 0</dev/null', 'sh', file, ...args];
    const options = { timeout: probeTimeoutMs, killSignal: 'SIGKILL', maxBuffer: 64 * 1024, env: {} } as const;
    const child = execFile('/bin/sh', shell, options, (error, stdout, stderr) => {
      resolve({ output: stdout, error: error === null ? null : stderr.trim().slice(0, 500) || error.message });
    });
    child.stdin?.on('error', () => {}); // it ended before it read: the exit tells
    child.stdin?.end(hidden);
  });
}

function findProgram(name: string): string | null {
  const directories = [...(process.env['PATH'] ?? '').split(':'), '/usr/local/bin', '/usr/bin', '/bin'];
  for (const directory of directories) {
    if (!directory.startsWith('/')) continue;
    try {
      accessSync(`${directory}/${name}`, constants.X_OK);
      return `${directory}/${name}`;
    } catch {
      // not here: the next directory
    }
  }
  return null;
}

/** The line that installs bubblewrap on this system. */
function installLine(): string {
  const system = readText('/etc/os-release');
  const like = `${/^ID=(.*)$/m.exec(system)?.[1] ?? ''} ${/^ID_LIKE=(.*)$/m.exec(system)?.[1] ?? ''}`;
  if (/alpine/.test(like)) return 'apk add bubblewrap';
  if (/fedora|rhel|centos/.test(like)) return 'dnf install -y bubblewrap';
  if (/arch/.test(like)) return 'pacman -S --noconfirm bubblewrap';
  if (/suse/.test(like)) return 'zypper install -y bubblewrap';
  return 'apt-get install -y bubblewrap';
}

/** The line that lets an ordinary user make namespaces. */
function permitLine(): string {
  if (readText('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() === '1') {
    return 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0';
  }
  if (readText('/proc/sys/kernel/unprivileged_userns_clone').trim() === '0') {
    return 'sysctl -w kernel.unprivileged_userns_clone=1';
  }
  return 'run the server outside of a container, or in one that may make user namespaces';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // this system does not have it, which is an answer
  }
}
