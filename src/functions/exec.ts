// Sessions in running instances: a further process, and the instance kept awake until its caller has gone. Called by functions.ts.
import type { ExecOrder, ExecRefusal, ExecRefusalCode } from '../model/exec.ts';
import type { Instance } from './instances/instance.ts';
import { isAlive } from './instances/state.ts';
import { hasOwnRoot, sandboxCodePath } from './launcher/placement.ts';
import type { IsolationTier, Launcher } from './launcher/port.ts';

/** `session`: at what control is attached. */
export type ExecBegin = ExecOrder & { readonly session: number };

export type ExecBegun = ExecRefusal | { readonly ok: true };

export type ExecDeps = {
  readonly launcher: Launcher;
  readonly tier: IsolationTier;
  /** What serves; null: it is none of the function's, or not ready. Called until its end. */
  find(order: ExecOrder): Instance | null;
  /** Keeps it from being frozen or ended for being unused; gives what lets it go. */
  hold(instance: Instance): () => void;
};

export type Exec = {
  begin(order: ExecBegin): Promise<ExecBegun>;
  /** Its caller has gone, or it has ended. */
  end(session: number): void;
};

/** Shells and full-screen programs look for it. */
const terminalName = 'xterm-256color';

function refuse(code: ExecRefusalCode, message: string): ExecRefusal {
  return { ok: false, code, message };
}

export function createExec({ launcher, tier, find, hold }: ExecDeps): Exec {
  /** How to let instances go, by session. Bounded by control. */
  const sessions = new Map<number, () => void>();
  const end = (session: number) => {
    sessions.get(session)?.();
    sessions.delete(session);
  };
  return {
    end,
    async begin(order) {
      const { session, command, terminal } = order;
      if (launcher.exec === undefined) {
        return refuse('InvalidArgument', 'this server starts functions by a launcher that cannot reach into instances');
      }
      const instance = find(order);
      if (instance === null || !isAlive(instance.state)) {
        return refuse('InstanceNotFound', `instance '${order.instanceId}' does not run`);
      }
      const { launch } = instance.plan;
      sessions.set(session, hold(instance));
      try {
        await launcher.exec({
          instanceId: instance.id,
          session,
          directory: hasOwnRoot(tier) ? sandboxCodePath : launch.codeDirectory,
          command,
          environment: { ...launch.environment, ...(terminal === null ? {} : { TERM: terminalName }) },
          terminal,
        });
        return { ok: true };
      } catch (error) {
        end(session);
        return refuse('InternalServerError', error instanceof Error ? error.message : String(error));
      }
    },
  };
}
