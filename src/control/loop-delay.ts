// /yunmen/loop-delay: has the data process measure its event loop (POST), tells the figures (GET), ends it (DELETE). For benches.
import type { PrivateAction } from './private-call.ts';

function ask(what: 'start' | 'read' | 'stop'): PrivateAction {
  return async ({ deps }) => ({ loopDelay: await deps.loopDelay(what) });
}

export const startLoopDelay = ask('start');
export const readLoopDelay = ask('read');
export const stopLoopDelay = ask('stop');
