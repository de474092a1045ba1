// Opens sessions in running instances for control: finds the data process that has the instance, and attaches to its launcher.
// The bytes go between control and the instance; the data process keeps it awake meanwhile. Used by server.ts.
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { DataProcesses } from './data-processes.ts';
import type { DataSlot } from './data-slot.ts';
import { attachSession, type ExecBegun } from './functions/index.ts';
import type { ExecOrder, ExecRefusal, ExecRefusalCode } from './model/exec.ts';
import type { InstancesNow } from './model/scaling.ts';

/** Sessions at once, on the whole server. */
const sessionLimit = 64;

export type OpenExec = (order: ExecOrder) => Promise<ExecRefusal | { readonly ok: true; readonly stream: Duplex }>;

function refuse(code: ExecRefusalCode, message: string): ExecRefusal {
  return { ok: false, code, message };
}

/** `stream` is read and written by wire/exec-frames.ts; destroying it ends what was begun. */
export function createExecSessions(data: () => DataProcesses): OpenExec {
  let open = 0;
  return async (order) => {
    if (open >= sessionLimit) return refuse('ResourceExhausted', `more than ${sessionLimit} sessions in instances`);
    open += 1;
    let isOpen = false;
    try {
      const slot = await find(data(), order);
      if (slot === null) return refuse('InstanceNotFound', `instance '${order.instanceId}' does not run`);
      if (slot.launcher.kind !== 'sandd') {
        return refuse(
          'InvalidArgument',
          'nothing can be run in instances here: it takes the native launcher (gcc and libc6-dev)',
        );
      }
      const session = randomInt(1, 2 ** 32);
      const stream = await attachSession({ runDir: slot.runDir, token: slot.launcherToken, session });
      stream.once('close', () => {
        open -= 1;
        slot.data.channel.note('execEnd', session);
      });
      isOpen = true;
      stream.on('error', () => {}); // 'close' follows
      const begun = (await slot.data.channel.call('exec', { ...order, session })).data as ExecBegun;
      if (begun.ok) return { ok: true, stream };
      stream.destroy();
      return begun;
    } finally {
      if (!isOpen) open -= 1;
    }
  };
}

async function find(data: DataProcesses, { functionKey, qualifier, instanceId }: ExecOrder): Promise<DataSlot | null> {
  const answers = await data.ask('instances', { functionKey, qualifier });
  const has = ({ instances }: InstancesNow) => instances.some((fact) => fact.instanceId === instanceId);
  return answers.find(({ answer }) => has(answer.data as InstancesNow))?.slot ?? null;
}
