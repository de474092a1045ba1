// One server with a victim and two attackers, and what an attacker may know of them. Used by the security tests.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { OpenApi } from '../harness/openapi.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup, instanceProcesses, startServer, type TestServer, temporaryDirectory } from '../harness/server.ts';

export const attacksDirectory = new URL('attacks/', import.meta.url);

/** How an attack went. ended: the instance did not live to tell, or did not answer what it should. */
export type Told = { readonly kind: 'succeeded' | 'refused' | 'broken' | 'ended'; readonly said: string };

/** Has a secret in its code, /tmp, /dev/shm, environment and memory; made all of them when it was loaded. */
const victimCode = (file: string, sharedKey: number) => `
import ctypes, json, os
secret = open('secret.txt').read()
for directory in (os.environ.get('TMPDIR', '/tmp'), '/dev/shm'):
    try:
        with open(directory + '/${file}', 'w') as kept:
            kept.write(secret)
    except PermissionError:
        if 'TMPDIR' not in os.environ or directory != '/dev/shm': raise # tier restricted has none
ctypes.CDLL(None).shmget(${sharedKey}, 4096, 0o1600)
def handler(event, context):
    return json.dumps({'id': os.environ['FC_INSTANCE_ID'], 'secret': secret})
`;

const makeable = { runtime: 'python3.10', timeout: 30, handler: 'index.handler' };

export class AttackServer {
  readonly server: TestServer;
  readonly tier: string;
  readonly #api: OpenApi;
  readonly #cleanup: Cleanup;
  #given: Readonly<Record<string, unknown>> = {};

  private constructor(server: TestServer, tier: string, cleanup: Cleanup) {
    this.server = server;
    this.tier = tier;
    this.#cleanup = cleanup;
    this.#api = new OpenApi(server.ready, server.credentials);
  }

  /** `isOrdinary`: of an ordinary user. Errors: throws when the server's ready line tells another tier. */
  static async start(tier: string, isOrdinary = false): Promise<AttackServer> {
    const cleanup = new Cleanup();
    const dataDir = temporaryDirectory(cleanup);
    const command = ['start', '--runtime-fallback', '--isolation', tier];
    const server = await startServer(cleanup, command, dataDir, { isOrdinary });
    const made = new AttackServer(server, tier, cleanup);
    cleanup.after(() => made.#api.close());
    assert.equal(server.ready.isolation, tier, 'the tier of the ready line');
    await made.#populate();
    return made;
  }

  close(): Promise<void> {
    return this.#cleanup.run();
  }

  /** What an attacker knows. */
  get given(): Readonly<Record<string, unknown>> {
    return this.#given;
  }

  async create(functionName: string, more: object): Promise<{ status: number; message: string }> {
    const { status, body } = await this.#api.fc('POST', '/functions', { ...makeable, functionName, ...more });
    return { status, message: JSON.stringify(body) };
  }

  async invoke(name: string, event: object): Promise<Readonly<Record<string, unknown>>> {
    return (await this.#api.fc('POST', `/functions/${name}/invocations`, event)).body;
  }

  async attack(order: { subject: string; act: string; isSmall: boolean }, more: object = {}): Promise<Told> {
    const given = { ...this.#given, ...more };
    const event = { subject: order.subject, attack: order.act, given };
    return told(await this.invoke(order.isSmall ? 'small' : 'attacker', event));
  }

  /** That the victim is the same instance as ever and answers: nobody harmed it or the server. */
  async isUnharmed(): Promise<void> {
    const { id } = await this.invoke('victim', {});
    assert.equal(id, this.#given['victimId'], 'the instance of the victim');
  }

  async #populate(): Promise<void> {
    const outside = temporaryDirectory(this.#cleanup);
    const secret = `secret-${randomBytes(16).toString('hex')}`;
    const canary = join(outside, 'canary');
    writeFileSync(canary, secret, { mode: 0o644 });
    const victimFile = `yunmen-victim-${randomBytes(8).toString('hex')}`;
    // In tier none the victim's /tmp is the host's.
    for (const directory of ['/tmp', '/dev/shm']) {
      this.#cleanup.after(() => rmSync(join(directory, victimFile), { force: true }));
    }
    const sharedKey = 0x5900_0000 + randomBytes(2).readUInt16BE();
    const code = await zipped({ 'index.py': victimCode(victimFile, sharedKey), 'secret.txt': secret });
    const names = readdirSync(attacksDirectory).filter((name) => name.endsWith('.py'));
    const files = names.map((name) => [name, readFileSync(new URL(name, attacksDirectory), 'utf8')]);
    const attacking = { code: { zipFile: await zipped(Object.fromEntries(files)) }, handler: 'kit.handler' };
    const environmentVariables = { SECRET: secret };
    const role = 'acs:ram::1:role/victim';
    for (const [name, more] of [
      ['victim', { code: { zipFile: code }, memorySize: 128, role, environmentVariables }],
      ['attacker', { ...attacking, memorySize: 512 }],
      ['small', { ...attacking, memorySize: 128 }],
    ] as const) {
      const { status, message } = await this.create(name, more);
      assert.equal(status, 200, message);
    }
    const { id } = await this.invoke('victim', {});
    this.#given = {
      secret,
      canary,
      victimFile,
      victimTmp: this.tier === 'restricted' ? join(this.server.facts.runDir, 't', String(id)) : '/tmp',
      sharedKey,
      ...this.#factsOf(String(id)),
      abstract: await this.#listenAbstract(),
    };
  }

  #factsOf(victimId: string) {
    const { dataDir, facts } = this.server;
    const lies = readdirSync(dataDir, { recursive: true }).map((name) => join(dataDir, String(name)));
    const secretFile = lies.find((path) => path.endsWith('/secret.txt'));
    assert.ok(secretFile !== undefined, 'the code of the victim lies in the data directory');
    const victim = instanceProcesses(facts.runDir).find(({ pid }) => {
      const mark = readFileSync(`/proc/${pid}/environ`, 'latin1');
      return mark.includes(victimId) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('bootstrap.py');
    });
    assert.ok(victim !== undefined, 'the process of the victim');
    return {
      dataDir,
      runDir: facts.runDir,
      controlPid: facts.pids.control,
      controlCommand: readFileSync(`/proc/${facts.pids.control}/cmdline`, 'utf8'),
      victimId,
      victimPid: victim.pid,
      victimCode: secretFile.slice(0, -'/secret.txt'.length),
      databases: lies.filter((path) => /\.(db|sqlite3?)$/.test(path)),
    };
  }

  /** Something of the host's that listens on an abstract socket. */
  async #listenAbstract(): Promise<string> {
    const name = `yunmen-host-${randomBytes(8).toString('hex')}`;
    const listener = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => listener.listen(`\0${name}`, resolve));
    this.#cleanup.after(() => void listener.close());
    return name;
  }
}

export function told(answer: Readonly<Record<string, unknown>>): Told {
  const { kind, said } = answer;
  if (kind === 'succeeded' || kind === 'refused' || kind === 'broken') return { kind, said: String(said) };
  return { kind: 'ended', said: JSON.stringify(answer) };
}
