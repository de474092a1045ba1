// Ports of the host's loopback for programs that listen there because their instance has no network of its own.
// Owned by the plane; used by http-road.ts and runtime-api-road.ts.
import { createServer } from 'node:net';

/** Ports tried before it is given up. */
const attempts = 20;

/** Bounded by the instances there are. */
export class PortClaims {
  readonly #claimed = new Set<number>();

  /**
   * A port on which nobody listens: the preferred one if it is free, else any. It stays the caller's until release().
   *
   * Errors: rejects when none is found.
   */
  async claim(preferred: number): Promise<number> {
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const wanted = attempt === 0 && !this.#claimed.has(preferred) ? preferred : 0;
      if (wanted !== 0) this.#claimed.add(wanted);
      const port = await freePort(wanted);
      if (port === wanted) return port;
      if (wanted !== 0) this.#claimed.delete(wanted);
      if (port === null || this.#claimed.has(port)) continue;
      this.#claimed.add(port);
      return port;
    }
    throw new Error('no free port was found on the loopback');
  }

  release(port: number): void {
    this.#claimed.delete(port);
  }
}

/** On all addresses, as the cloud's servers listen. Null: it is taken. */
function freePort(wanted: number): Promise<number | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null)); // taken, or not ours to take: the caller tries another
    server.listen({ port: wanted, host: '0.0.0.0', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? null) : null));
    });
  });
}
