// Makes the instance of a function of a process that waited. Called by instance.ts.
import type { Road, RoadEvents } from '../instances/road.ts';
import type { StartPlan } from '../instances/start-plan.ts';
import { type Launcher, startLine } from '../launcher/port.ts';
import type { Spare } from './spare.ts';

export type Giving = {
  readonly plan: StartPlan;
  readonly launcher: Launcher;
  readonly events: RoadEvents;
  /** Begins to wait before it returns; resolves with `hello` or what came instead. */
  waitForHello(road: Road): Promise<string>;
  /** It has all that it needs, and can be asked though it has not said hello. Not called where that is not known. */
  onTrusted(): void;
};

/**
 * Null when it is the function's process: its bootstrap has said hello, its program runs. Else what went wrong; nothing of
 * it is left then.
 *
 * Errors: rejects only when it cannot be ended either.
 */
export async function giveFunction(
  spare: Spare,
  { plan, launcher, events, waitForHello, onTrusted }: Giving,
): Promise<string | null> {
  const { instanceId, codeDirectory } = plan.launch;
  let hasGreeted = false;
  let road: Road | null = null;
  let problem: string;
  let refusal: string | null = null;
  let given: Promise<string> = Promise.resolve('');
  try {
    // Until it has said hello its end is not that of the instance.
    const onOutputEnd = () => (hasGreeted ? events.onOutputEnd() : undefined);
    road = spare.take({ ...events, onOutputEnd }, codeDirectory);
    const hello = waitForHello(road);
    given = give(plan, road, launcher).then(() => {
      // In a sandbox of its own nobody else reaches its sockets, and none of its function's code has run.
      if (spare.hasPrivateRoot && road?.trust() === true) onTrusted();
      return hello;
    });
    // A process that does not take it lets the order wait, too: it is answered when the process has been ended. One that
    // ends because it cannot take it ends after the answer, but both may come at once.
    given.catch((error: unknown) => {
      refusal = error instanceof Error ? error.message : String(error);
    });
    problem = await Promise.race([given, hello]);
    hasGreeted = problem === 'hello';
    if (hasGreeted) return null;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  await launcher.stop(instanceId, 0);
  await Promise.allSettled([given]); // it is answered by now
  road?.close();
  return problem === 'disconnected' ? (refusal ?? problem) : problem;
}

async function give(plan: StartPlan, road: Road, launcher: Launcher): Promise<void> {
  const { instanceId, codeDirectory, memoryMb, cpu, argv, environment } = plan.launch;
  await road.adopt(plan);
  await launcher.assign({
    instanceId,
    codeDirectory,
    memoryMb,
    ...(cpu === undefined ? {} : { cpu }),
    startLine: startLine(plan.launch, environment),
    ...(plan.program === null ? {} : { program: { argv, environment: { ...environment, ...road.environment } } }),
  });
  road.started();
}
