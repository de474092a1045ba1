// What this machine can do to keep functions apart, for `yunmen doctor`: the probes of both launchers, put into words.
// The choice is that of launcher-start.ts and launcher-process.ts. Called by main.ts.
import { findSandd, type IsolationProbe, probeIsolation, probeNetwork, probeSandd } from './functions/index.ts';
import type { IsolationReport, IsolationTrial } from './model/isolation-report.ts';

/** Tries everything on this machine; leaves nothing behind. */
export async function reportIsolation(): Promise<IsolationReport> {
  const [sandd, bubblewrap] = await Promise.all([findSandd(), probeIsolation()]);
  const found = sandd.ok ? new Map([...(await probeSandd(sandd.path)), ...(await probeNetwork(sandd.path))]) : null;
  return describeIsolation({
    native: sandd.ok ? { ok: true, found: found ?? new Map() } : sandd,
    bubblewrap,
    isRoot: process.getuid?.() === 0,
  });
}

export type Findings = {
  readonly native:
    | { readonly ok: true; readonly found: ReadonlyMap<string, string> }
    | { readonly ok: false; readonly why: string };
  readonly bubblewrap: IsolationProbe;
  readonly isRoot: boolean;
};

/** Words for the keys of `sandd probe`: what was tried, and what was seen when it held. */
const words: Readonly<Record<string, readonly [tried: string, held: string]>> = {
  user: ['be another user than the host’s', 'a user of its own, and no way back to root'],
  'no-capabilities': ['use capabilities', 'it has none, and can get none'],
  'no-new-rights': ['gain rights by programs', 'the kernel refuses new rights'],
  'own-processes': ['see and signal processes of the host', 'sees its own only'],
  'own-root': ['see files of the host', 'sees a root of its own, with its code'],
  'kept-root': ['write into the system, its code, its socket’s directory', 'all of them are read-only'],
  tmp: ['write into /tmp, and into /proc/sys', '/tmp is writable, /proc/sys is not'],
  'others-processes': ['signal and look at processes of others', 'refused; it cannot list them'],
  'others-files': ['read files of the host', 'refused by Landlock; it reads its code and the system'],
  'kept-files': ['write into the system, its code, /tmp', 'refused'],
  'others-places': ['write where others do, and into /proc/sys', 'refused'],
  'no-mounts': ['mount and unmount', 'refused'],
  filter: ['make system calls that anybody may make', 'the listed ones are refused'],
  'no-raw-sockets': ['open raw, packet and hypervisor sockets', 'refused'],
  landlock: ['reach an abstract socket of the host', 'refused by Landlock'],
  'limit-processes': ['make more processes than it may', 'stopped at the limit'],
  'limit-memory': ['take more memory than it may', 'ended by the kernel'],
  doorway: ['reach the doorway from a network of its own', 'it answers'],
  'own-host': ['reach this machine from a network of its own', 'refused, at its addresses and on loopback'],
  forwarding: ['reach a host beyond this machine from a network of its own', 'it is forwarded'],
  freeze: ['go on while it is frozen', 'stands still, and goes on when thawed'],
};

/** What it means that something did not hold, where that needs saying. */
const missed: Readonly<Record<string, string>> = {
  forwarding: 'the firewall of this machine drops it: functions reach the doorway only',
};

/** Pure: findings in, report out. */
export function describeIsolation({ native, bubblewrap, isRoot }: Findings): IsolationReport {
  const trials = [...nativeTrials(native), bubblewrapTrial(bubblewrap)];
  const forward = native.ok && native.found.get('network.forwarding') === 'no' ? forwardLine : null;
  return { trials, forward, ...chooseTier({ native, bubblewrap, isRoot }) };
}

function chooseTier({ native, bubblewrap, isRoot }: Findings): Pick<IsolationReport, 'tier' | 'launcher' | 'raise'> {
  const held = (tier: string) => native.ok && native.found.get(tier) === 'ok';
  if (held('strong')) return { tier: 'strong', launcher: 'sandd', raise: null };
  const strong = raiseToStrong(native, isRoot);
  if (held('user')) return { tier: 'user', launcher: 'sandd', raise: strong };
  if (bubblewrap.tier === 'user') return { tier: 'user', launcher: 'node', raise: strong };
  if (held('restricted')) return { tier: 'restricted', launcher: 'sandd', raise: namespacesLine };
  const install = bubblewrap.missing[0]?.install ?? null;
  return {
    tier: null,
    launcher: native.ok ? 'sandd' : 'node',
    raise: native.ok ? strong : (install ?? strong),
  };
}

/** Of docker and its like: what a container must be allowed, so that namespaces can be made in it. */
const namespacesLine =
  'let the container make namespaces: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined …';
/**
 * Firewalls that drop what is forwarded (Docker makes it so). Nobody can begin anything towards functions all the same: the
 * server's own table drops that.
 */
export const forwardLine =
  'iptables -I FORWARD -i yunmen+ -j ACCEPT && iptables -I FORWARD -o yunmen+ -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT';
const compilerLine = 'apt-get install -y gcc libc6-dev';

/** What sandd misses for tier strong as root, in its words, and what gives it that: on a host of one's own, else to a container. */
const strongLines: readonly (readonly [missing: RegExp, line: string])[] = [
  [/^no control groups/, 'mount control groups: mount -t cgroup2 none /sys/fs/cgroup'],
  [
    /^cannot (make|use|move its processes within) \/.*: (Read-only file system|Permission denied|Operation not permitted)$/,
    'let the container make control groups: docker run --privileged --cgroupns=private …',
  ],
  [
    /^(cannot make a process with namespaces: Operation not permitted|root here may not become another user)$/,
    'let root be root in the container: docker run --privileged …',
  ],
];

function raiseToStrong(native: Findings['native'], isRoot: boolean): string {
  // A compiler alone gives an ordinary user no other tier than bubblewrap does.
  if (!native.ok) return isRoot ? compilerLine : `sudo ${compilerLine} && sudo yunmen start`;
  if (!isRoot) return 'start the server as root: sudo yunmen start';
  const missing = native.found.get('strong') ?? 'the probe did not come to an end';
  const known = strongLines.find(([form]) => form.test(missing));
  return known?.[1] ?? `give this system what the strong tier misses: ${missing}`;
}

function nativeTrials(native: Findings['native']): IsolationTrial[] {
  if (!native.ok) {
    return [{ tier: null, tried: 'build sandd, the native launcher', effect: native.why, isHeld: false }];
  }
  const trials: IsolationTrial[] = [
    { tier: null, tried: 'build sandd, the native launcher', effect: 'it is there', isHeld: true },
  ];
  for (const [key, value] of native.found) {
    const [tier = '', what] = key.split('.');
    if (what !== undefined) {
      const [tried, effect] = words[what] ?? [what, 'held'];
      trials.push({
        tier,
        tried,
        effect: value === 'yes' ? effect : (missed[what] ?? 'it did not hold'),
        isHeld: value === 'yes',
      });
    } else if (key === 'strong' || key === 'user' || key === 'restricted') {
      trials.push({ tier, tried: 'all of this tier', effect: value === 'ok' ? 'held' : value, isHeld: value === 'ok' });
    } else if (key === 'network') {
      const by = native.found.get('network-by') ?? 'kernel';
      const way = by === 'kernel' ? 'the kernel forwards what they send' : `${by} carries what they send`;
      const effect =
        value === 'ok'
          ? `functions of tiers user and strong get it; ${way}`
          : `${value}: they share the host’s${native.found.get('network-none') === 'yes' ? ', or with --network none have one that leads to the doorway alone' : ''}`;
      trials.push({ tier: null, tried: 'make networks for functions', effect, isHeld: value === 'ok' });
    } else if (key === 'landlock') {
      const effect = value === '0' ? 'the kernel does not have it' : `version ${value}`;
      trials.push({ tier: null, tried: 'use Landlock', effect, isHeld: Number(value) > 0 });
    } else if (key === 'cgroups') {
      const effect = value === '0' ? 'none to be had' : `version ${value}`;
      trials.push({ tier: 'strong', tried: 'use control groups', effect, isHeld: value !== '0' });
    }
  }
  return trials;
}

function bubblewrapTrial(probe: IsolationProbe): IsolationTrial {
  const missing = probe.missing[0];
  const effect = missing === undefined ? 'own processes, files hidden, system kept, no capabilities' : missing.why;
  return { tier: 'user', tried: 'make a sandbox by bubblewrap', effect, isHeld: missing === undefined };
}
