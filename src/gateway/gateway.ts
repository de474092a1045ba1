// The gateway of one data process: holds the current snapshot and answers requests on it. Made by composition.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ChangeBatch } from '../model/published.ts';
import type { GatewayDeps, GatewayRequest } from './context.ts';
import { requestOf, sendReply } from './listener.ts';
import { type PipelineResult, runPipeline } from './pipeline.ts';
import { applyBatch, emptySnapshot, type Snapshot } from './snapshot.ts';

export type Gateway = {
  /** Makes the batch visible to requests that begin from now on; those under way keep what they began with. */
  apply(batch: ChangeBatch): void;
  /** The group of a Host that names the machine; overrides settings.defaultGroup. */
  setDefaultGroup(groupId: string | null): void;
  /** A node:http request listener. */
  readonly handle: (message: IncomingMessage, response: ServerResponse) => void;
  /** The version reached by the last batch; 0 before the first. */
  version(): number;
  /** Answers a request value without a socket. */
  run(request: GatewayRequest): Promise<PipelineResult>;
};

export function createGateway(given: GatewayDeps): Gateway {
  let deps = given;
  let snapshot: Snapshot = emptySnapshot;
  return {
    apply: (batch) => {
      snapshot = applyBatch(snapshot, batch);
    },
    setDefaultGroup: (defaultGroup) => {
      deps = { ...given, settings: { ...given.settings, defaultGroup } };
    },
    handle: (message, response) => {
      // runPipeline never rejects; what is left to fail here is writing, and that is a bug.
      answer(message, response, snapshot, deps).catch((error: unknown) => {
        deps.reportBug(error, '');
        response.destroy();
      });
    },
    version: () => snapshot.version,
    run: (request) => runPipeline(request, snapshot, deps),
  };
}

async function answer(
  message: IncomingMessage,
  response: ServerResponse,
  snapshot: Snapshot,
  deps: GatewayDeps,
): Promise<void> {
  const { reply, record } = await runPipeline(requestOf(message, response, deps), snapshot, deps);
  deps.report(record); // First, so that the record is there as soon as the caller has the answer.
  if (reply === null) response.destroy();
  else sendReply(response, reply, message.method === 'HEAD');
}
