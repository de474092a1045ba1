// A host that stands for the internet: a network namespace of its own behind this machine, with an address that nobody
// uses. Used by the tests of functions' networks; needs root and `ip`.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
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

/** Gone with `t`. `more`: further addresses that the outside host answers to. */
export async function openOutside(t: { after(run: () => void): void }, more: readonly string[] = []): Promise<Outside> {
  const name = `yunmen-t${randomBytes(3).toString('hex')}`;
  const ip = (line: string) => execFileSync('ip', line.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] });
  ip(`netns add ${name}`);
  t.after(() => ip(`netns del ${name}`));
  const at = 4 * randomInt(64);
  const [hostAddress, address] = [`192.88.99.${at + 1}`, `192.88.99.${at + 2}`];
  const link = name.slice(-7);
  ip(`link add ${link} type veth peer name out netns ${name}`);
  ip(`addr add ${hostAddress}/30 dev ${link}`);
  ip(`link set ${link} up`);
  ip(`-n ${name} addr add ${address}/30 dev out`);
  ip(`-n ${name} link set out up`);
  const otherHostAddress = `192.88.98.${at + 1}`;
  ip(`addr add ${otherHostAddress}/32 dev ${link}`);
  for (const each of more) {
    ip(`-n ${name} addr add ${each}/32 dev out`);
    // Tests of several servers may run at once on this machine: each has its own metric.
    ip(`route add ${each}/32 via ${address} metric ${randomInt(1000, 1_000_000)}`);
  }
  // No way back to anybody but this machine: who is seen there came through its own address.
  const server = spawn('ip', ['netns', 'exec', name, process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => server.kill('SIGKILL'));
  await once(createInterface({ input: server.stdout }), 'line');
  return { address, hostAddress, link, otherHostAddress, url: `http://${address}/` };
}
