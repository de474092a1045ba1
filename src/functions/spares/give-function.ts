// Makes the instance of a function of a process that waited. Called by instance.ts.
import type { Road, RoadEvents } from '../instances/road.ts';
import { type Launcher, type LaunchSpec, startLine } from '../launcher/port.ts';
import type { Spare } from './spare.ts';

export type Giving = {
  readonly launch: LaunchSpec;
  readonly launcher: Launcher;
  readonly events: RoadEvents;
  /** Begins to wait before it returns; resolves with `hello` or what came instead. */
  waitForHello(road: Road): Promise<string>;
};

/**
 * Null when it has said hello as the function's process. Else what went wrong; nothing of it is left then.
 *
 * Errors: rejects only when it cannot be ended either.
 */
export async function giveFunction(spare: Spare, giving: Giving): Promise<string | null> {
  const { launch, launcher, events } = giving;
  const { instanceId, codeDirectory, memoryMb, cpu } = launch;
  let hasGreeted = false;
  let road: Road | null = null;
  let problem: string;
  try {
    // Until it has said hello its end is not that of the instance.
    const onOutputEnd = () => (hasGreeted ? events.onOutputEnd() : undefined);
    road = spare.take({ ...events, onOutputEnd }, codeDirectory);
    const hello = giving.waitForHello(road);
    const line = startLine(launch, launch.environment);
    await launcher.assign({
      instanceId,
      codeDirectory,
      memoryMb,
      ...(cpu === undefined ? {} : { cpu }),
      startLine: line,
    });
    problem = await hello;
    hasGreeted = problem === 'hello';
    if (hasGreeted) return null;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  await launcher.stop(instanceId, 0);
  road?.close();
  return problem;
}
