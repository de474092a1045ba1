// Connections to one of several data processes that share a port: the kernel chooses, so connections are opened until it chose right.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';

export type Got = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
};

/** One kept connection. Requests on it run one after the other. */
export class Connection {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #url: URL;
  #socket: Socket | null = null;

  constructor(gateway: string) {
    this.#url = new URL(gateway);
  }

  /** Our end's port; 0 before the first request. */
  get localPort(): number {
    return this.#socket?.localPort ?? 0;
  }

  async send(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<Got> {
    const answer = await this.open(method, path, headers);
    const body = await text(answer);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body };
  }

  /** The answer when its head has come; its body is still to be read. */
  open(method: string, path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const { hostname: host, port } = this.#url;
    return new Promise((resolve, reject) => {
      const call = request({ host, port, method, path, headers, agent: this.#agent }, resolve);
      call.on('socket', (socket) => {
        this.#socket = socket;
      });
      call.on('error', reject).end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The inode of the server's end of a connection on this machine, by the ports of both ends; null when there is none. */
function inodeOf(serverPort: number, clientPort: number): string | null {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(`:${hex(serverPort)}`) && fields[2]?.endsWith(`:${hex(clientPort)}`)) {
      return fields[9] ?? null;
    }
  }
  return null;
}

function holds(pid: number, inode: string): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`) === `socket:[${inode}]`;
    } catch {
      return false; // closed meanwhile
    }
  });
}

/** A connection that the process `pid` serves. It has sent one GET for `/`, whatever that answered. */
export async function connectTo(
  gateway: string,
  pid: number,
  t: { after(run: () => void): void },
): Promise<Connection> {
  for (let tries = 0; tries < 200; tries++) {
    const connection = new Connection(gateway);
    await connection.send('GET', '/', {});
    const inode = inodeOf(Number(new URL(gateway).port), connection.localPort);
    if (inode !== null && holds(pid, inode)) {
      t.after(() => connection.close());
      return connection;
    }
    connection.close();
  }
  throw new Error(`no connection came to process ${pid}`);
}
