// The gateway of one data process: holds the current snapshot and answers requests on it. Made by composition.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ChangeBatch } from '../model/published.ts';
import type { GatewayDeps } from './context.ts';
import { requestOf, sendReply } from './listener.ts';
import { runPipeline } from './pipeline.ts';
import { applyBatch, emptySnapshot, type Snapshot } from './snapshot.ts';

export type Gateway = {
  /** Makes the batch visible to requests that begin from now on; those under way keep what they began with. */
  apply(batch: ChangeBatch): void;
  /** A node:http request listener. */
  handle(message: IncomingMessage, response: ServerResponse): void;
  /** The version reached by the last batch; 0 before the first. */
  version(): number;
  /** What requests see now; for tests through pipeline.ts. */
  snapshot(): Snapshot;
};

export function createGateway(deps: GatewayDeps): Gateway {
  let snapshot: Snapshot = emptySnapshot;
  return {
    apply: (batch) => {
      snapshot = applyBatch(snapshot, batch);
    },
    handle: (message, response) => {
      // runPipeline never rejects; what is left to fail here is writing, and that is a bug.
      answer(message, response, snapshot, deps).catch((error: unknown) => {
        deps.reportBug(error, '');
        response.destroy();
      });
    },
    version: () => snapshot.version,
    snapshot: () => snapshot,
  };
}

async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  snapshot: Snapshot,
  deps: GatewayDeps,
): Promise<void> {
  const { reply, record } = await runPipeline(requestOf(message, response), snapshot, deps);
  if (reply === null) response.destroy();
  else sendReply(response, reply, message.method === 'HEAD');
  deps.report(record);
}
