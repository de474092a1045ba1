// A host that stands for the internet: a network namespace of its own behind this machine, with an address that nobody
// uses. Used by the tests of functions' networks; needs root and `ip`.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';

export type Outside = {
  /** Of the outside host. Public, so that no policy refuses it; of a range that has been given back (192.88.99.0/24). */
  readonly address: string;
  /** Its HTTP server, which answers with the caller's address. */
  readonly url: string;
  /** This machine's address on the link between them. */
  readonly hostAddress: string;
  /** This machine's interface towards it. */
  readonly link: string;
  /** Another address of this machine, that is on no way out. */
  readonly otherHostAddress: string;
};

/** Null, or why there can be no such host on this machine. */
export function outsideLacks(): string | null {
  if (process.getuid?.() !== 0) return 'a network namespace for the outside needs root';
  return spawnSync('ip', ['-V']).error === undefined ? null : 'ip is missing (apt-get install -y iproute2)';
}

const program = `require('node:http').createServer((call, answer) => answer.end(call.socket.remoteAddress))
  .listen(80, '0.0.0.0', () => console.log('listens'))`;

/** Of this process: how many it has opened. */
let opened = 0;

/** Gone with `t`. `more`: further addresses that the outside host answers to. */
export async function openOutside(t: { after(run: () => void): void }, more: readonly string[] = []): Promise<Outside> {
  sweepOutsides();
  const link = `t${process.pid}-${opened++}`;
  const name = `yunmen-${link}`;
  ip(`netns add ${name}`);
  t.after(() => ip(`netns del ${name}`));
  const at = freeAddresses();
  const [hostAddress, address, otherHostAddress] = [
    `192.88.99.${at + 1}`,
    `192.88.99.${at + 2}`,
    `192.88.98.${at + 1}`,
  ];
  ip(`link add ${link} type veth peer name out netns ${name}`);
  ip(`addr add ${hostAddress}/30 dev ${link}`);
  ip(`link set ${link} up`);
  ip(`-n ${name} addr add ${address}/30 dev out`);
  ip(`-n ${name} link set out up`);
  ip(`addr add ${otherHostAddress}/32 dev ${link}`);
  for (const each of more) ip(`-n ${name} addr add ${each}/32 dev out`);
  // No way back to anybody but this machine: who is seen there came through its own address.
  const server = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => server.kill('SIGKILL'));
  await once(createInterface({ input: server.stdout }), 'line');
  for (const each of more) ip(`route add ${each}/32 via ${address} metric ${newestMetric()}`);
  return { address, hostAddress, link, otherHostAddress, url: `http://${address}/` };
}

function ip(line: string): void {
  execFileSync('ip', line.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Takes away those of processes that were killed: their routes would lead to hosts on which nobody listens. */
function sweepOutsides(): void {
  for (const name of existsSync('/run/netns') ? readdirSync('/run/netns') : []) {
    const owner = /^yunmen-t(\d+)-\d+$/.exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) spawnSync('ip', ['netns', 'del', name]);
  }
}

/** The first of four addresses that no interface of this machine has: tests of several servers may run at once. */
function freeAddresses(): number {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((each) => each?.map(({ address }) => address) ?? []),
  );
  // Where to begin differs by process, so that two that look at once seldom see the same.
  for (let n = 0; n < 64; n++) {
    const at = 4 * ((process.pid + n) % 64);
    if (!taken.has(`192.88.99.${at + 1}`)) return at;
  }
  throw new Error('no addresses are left for another outside host');
}

/** Smaller than those of all routes made before, so that the newest is taken: one for each tenth of a second since 2026. */
function newestMetric(): number {
  return 2 ** 32 - 1 - Math.floor((Date.now() - Date.UTC(2026, 0)) / 100);
}
