// Runs `yunmen dev` or `start` in this process on a fake server: its output can be waited for, and it can be stopped.
import { type CliDeps, runCli, type ServerOptions } from '../../src/cli/index.ts';
import { type FakeServer, fakeKey } from './cli-fake-server.ts';

export class DevRun {
  readonly done: Promise<number>;
  readonly options: ServerOptions[] = [];
  readonly defaultGroups: string[] = [];
  closes = 0;
  stdout = '';
  stderr = '';
  #stop: () => void = () => {};
  readonly #ended = Promise.withResolvers<{ reason: string }>();
  #waiting: (() => void)[] = [];

  constructor(fake: FakeServer, cwd: string, argv: readonly string[], more: Partial<CliDeps> = {}) {
    const sink = (name: 'stdout' | 'stderr') => ({
      write: (chunk: string | Uint8Array) => {
        this[name] += chunk.toString();
        for (const wake of this.#waiting.splice(0)) wake();
      },
    });
    this.done = runCli(argv, {
      startServer: (options) => this.#startServer(fake, options),
      discoverPython: () => Promise.resolve(true),
      version: '0.0.0',
      stdout: sink('stdout'),
      stderr: sink('stderr'),
      env: {},
      cwd,
      onStopSignal: (stop) => {
        this.#stop = stop;
        return () => {};
      },
      ...more,
    });
    void this.done.then(() => {
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  #startServer(fake: FakeServer, options: ServerOptions) {
    this.options.push(options);
    const addresses = { gateway: 'http://127.0.0.1:1', gatewayTls: null, http: 'http://127.0.0.1:2', api: fake.url };
    const named = { accountId: '1234567890123456', region: options.region, accessKeyId: fakeKey.accessKeyId };
    const credentialsFile = `${options.dataDir}/credentials.json`;
    return Promise.resolve({
      ready: {
        ...addresses,
        console: `${fake.url}/console/`,
        ...named,
        credentialsFile,
        isolation: 'none',
        launcher: 'node' as const,
      },
      credentials: { accountId: '1234567890123456', ...fakeKey },
      onExit: this.#ended.promise,
      setDefaultGroup: (groupId: string) => Promise.resolve(void this.defaultGroups.push(groupId)),
      close: () => Promise.resolve(void this.closes++),
    });
  }

  /** The server's own end, for whatever reason. */
  crash(reason: string): void {
    this.#ended.resolve({ reason });
  }

  /** Resolves with the match as soon as the output shows it; fails when the run ends without. */
  async see(name: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    let isOver = false;
    void this.done.then(() => {
      isOver = true;
    });
    for (;;) {
      const match = pattern.exec(this[name]);
      if (match !== null) return match;
      if (isOver) throw new Error(`ended without ${pattern} on ${name}:\n${this.stdout}\n${this.stderr}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** As a signal would: ends the run and gives its exit code. */
  async stop(): Promise<number> {
    this.#stop();
    return await this.done;
  }
}
