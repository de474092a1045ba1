// Takes the doorway's sockets from the launcher. They are in a namespace that this process cannot enter; Node takes
// foreign sockets only over an 'ipc' channel, so `sandd lend` speaks that. Used by the composition.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

/** Bare handles of Node: streams that listen, and one for datagrams. */
export type DoorwaySockets = { readonly http: object; readonly dns: object; readonly dnsStream: object };

const lendMs = 10_000;

/** Errors: rejects with sandd's sentence when it does not lend them. */
export async function takeDoorwaySockets(options: {
  /** sandd's program. */
  readonly path: string;
  readonly runDir: string;
  readonly token: string;
}): Promise<DoorwaySockets> {
  const stdio = ['pipe', 'ignore', 'pipe', 'ipc'] as const;
  const child = spawn(options.path, ['lend', options.runDir], { stdio: [...stdio], env: {}, timeout: lendMs });
  const { stdin, stderr } = child;
  if (stdin === null || stderr === null) throw new Error('cannot speak to sandd lend');
  stdin.on('error', () => {}); // it has ended: its words tell
  stdin.end(options.token);
  const words = text(stderr);
  const taken = new Map<string, object>();
  child.on('message', (name, handle) => {
    if (typeof name === 'string' && typeof handle === 'object' && handle !== null) taken.set(name, handle);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  const [http, dns, dnsStream] = ['http', 'dns', 'dns-stream'].map((name) => taken.get(name));
  if (http === undefined || dns === undefined || dnsStream === undefined) {
    throw new Error(`the launcher does not lend the doorway's sockets: ${(await words).trim()}`);
  }
  return { http, dns, dnsStream };
}
