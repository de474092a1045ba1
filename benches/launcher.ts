// How long an instance takes from the order to start it to its hello, by launcher and tier, side by side in one run.
// Run: node benches/launcher.ts [starts]. Prints medians in milliseconds and ratios to the plainest start.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { systemClock } from '../src/base/clock.ts';
import { randomHex } from '../src/base/ids.ts';
import { startOwnProcess } from '../src/child-process.ts';
import {
  connectLauncher,
  connectSandd,
  findInterpreters,
  findSandd,
  type Interpreter,
  type IsolationTier,
  type LauncherClient,
  startSandd,
} from '../src/functions/index.ts';
import { Endpoint } from '../src/functions/instances/endpoint.ts';
import { placeInstance } from '../src/functions/launcher/placement.ts';
import { defaultRuntimesDirectory } from '../src/functions/runtimes-directory.ts';

const starts = Number(process.argv[2] ?? 50);
const token = randomHex(32);
const bootstraps = { python: ['-B', '-s', 'bootstrap.py'], node: ['bootstrap.cjs'] } as const;
type Language = keyof typeof bootstraps;
type Contender = {
  name: string;
  tier: IsolationTier;
  runDir: string;
  launcher: LauncherClient;
  close(): Promise<void>;
};

async function openNode(tier: IsolationTier): Promise<Contender> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const child = await startOwnProcess('launcher', { onCall: () => Promise.reject(), onNote() {}, onClose() {} });
  await child.channel.call('configure', { runDir, launcherToken: token, isolation: tier, mode: 'start' });
  const launcher = await connectLauncher({ runDir, token, onGone() {} });
  return {
    name: tier === 'none' ? 'node none' : 'bubblewrap',
    tier,
    runDir,
    launcher,
    close: async () => void launcher.close(),
  };
}

async function openNative(path: string, tier: IsolationTier): Promise<Contender> {
  const runDir = mkdtempSync('/tmp/yunmen-');
  const sandd = await startSandd({ path, runDir, token, tier, owner: null, report: console.error });
  for (const directory of [codeDirectory, defaultRuntimesDirectory()]) await sandd.allow(directory);
  for (const { prefix } of await findInterpreters()) await sandd.allow(prefix);
  const launcher = await connectSandd({ runDir, token, interpreters: findInterpreters, onGone() {} });
  const close = async () => {
    launcher.close();
    await sandd.exited;
  };
  return { name: `sandd ${tier}`, tier, runDir, launcher, close };
}

/** One start, from the order to the hello; milliseconds. */
async function startOnce(
  { tier, runDir, launcher }: Contender,
  language: Language,
  interpreter: Interpreter,
): Promise<number> {
  const instanceId = `c-${randomHex(4)}-${randomHex(10)}`;
  const socketDirectory = `${runDir}/i/${instanceId}`;
  const runtimeDirectory = `${defaultRuntimesDirectory()}/${language}`;
  const place = placeInstance(tier, { codeDirectory, socketDirectory, runtimeDirectory, language });
  const secret = randomHex(32);
  const hello = Promise.withResolvers<void>();
  const nothing = () => {};
  const endpoint = await Endpoint.open(socketDirectory, secret, {
    onHello: () => hello.resolve(),
    onFrame: nothing,
    onDisconnect: nothing,
    onOutput: (chunk) => void process.stderr.write(chunk),
    onOutputEnd: nothing,
    onSuspicion: nothing,
  });
  const options = bootstraps[language];
  const began = systemClock.monotonic();
  await launcher.start({
    instanceId,
    argv: [interpreter.path, ...options.slice(0, -1), `${place.runtimePath}/${options.at(-1)}`],
    environment: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', HOME: '/tmp', FC_INSTANCE_ID: instanceId },
    codeDirectory,
    socketDirectory,
    socketPath: place.socketPath,
    readOnly: [
      { from: interpreter.prefix, to: interpreter.prefix },
      { from: runtimeDirectory, to: place.runtimePath },
    ],
    token: secret,
    memoryMb: 512,
  });
  await hello.promise;
  const took = systemClock.monotonic() - began;
  await launcher.stop(instanceId, 0);
  endpoint.close();
  return took;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

const codeDirectory = mkdtempSync('/tmp/yunmen-code-');
chmodSync(codeDirectory, 0o755); // instances are other users
writeFileSync(`${codeDirectory}/index.py`, '');
const sandd = await findSandd();
const contenders = [await openNode('none'), await openNode('user')];
if (sandd.ok)
  for (const tier of ['none', 'user', 'strong'] as const) contenders.push(await openNative(sandd.path, tier));
const interpreters = await findInterpreters();
const paused = ['', 'after 100 ms of idle'] as const;
for (const language of ['python', 'node'] as const) {
  const interpreter = interpreters.find((each) => each.language === language);
  if (interpreter === undefined) continue;
  for (const pause of paused) {
    const times = new Map<Contender, number[]>(contenders.map((each) => [each, []]));
    for (let round = 0; round < starts; round += 1) {
      for (const [contender, list] of times) {
        if (pause !== '') await new Promise((resolve) => setTimeout(resolve, 100));
        list.push(await startOnce(contender, language, interpreter));
      }
    }
    console.log(`${language} ${interpreter.version}, ${starts} starts each${pause === '' ? '' : `, ${pause}`}`);
    const plain = median(times.get(contenders[0] as Contender) ?? []);
    for (const [{ name }, list] of times) {
      const middle = median(list);
      console.log(`  ${name.padEnd(14)} ${middle.toFixed(1).padStart(7)} ms  x${(middle / plain).toFixed(2)}`);
    }
  }
}
for (const contender of contenders) {
  await contender.close();
  rmSync(contender.runDir, { recursive: true, force: true });
}
rmSync(codeDirectory, { recursive: true, force: true });
