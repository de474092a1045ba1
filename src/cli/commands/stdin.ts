// Reads all of standard input, for commands that take `-`.
import { failed } from '../errors.ts';
import type { CliDeps } from '../server-port.ts';

/** Bytes; more than any event or body that the services accept. */
const stdinLimitBytes = 128 * 1024 * 1024;

export async function readStdin(deps: CliDeps): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of deps.stdin ?? process.stdin) {
    const bytes = Buffer.from(chunk);
    length += bytes.length;
    if (length > stdinLimitBytes) throw failed(`standard input is longer than ${stdinLimitBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}
