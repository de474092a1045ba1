// `yunmen runtime`: what each runtime id really runs on here, and fetching what is missing: Nodes from npm's per-platform
// packages, sets of libraries through npm and pip. Called by main.ts; the clients check what they fetch.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import {
  chooseInterpreter,
  defaultRuntimesDirectory,
  fetchedRuntimesDirectory,
  findInterpreters,
  findRuntime,
  type Interpreter,
  insteadOfRuntime,
  languageNameOf,
  librariesDirectory,
  preinstalledLibraries,
  runtimeIds,
  withJavaBootstrap,
} from './functions/index.ts';
import type { RuntimeReport, RuntimeTools } from './model/runtime-report.ts';

const fetchTimeoutMs = 15 * 60_000;
const programLimitBytes = 400 * 1024 * 1024;
const outputLimitBytes = 4 * 1024 * 1024;
const wholeVersion = /^\d+\.\d+\.\d+$/;
const versionForm = /^\d{1,3}(\.\d{1,3}){0,2}$/;
const libraryForm = /^(@[a-z0-9._-]+\/)?[A-Za-z0-9][A-Za-z0-9._-]*$/;

export function createRuntimeTools(report: (text: string) => void): RuntimeTools {
  const directory = fetchedRuntimesDirectory();
  const find = async () =>
    await withJavaBootstrap(await findInterpreters(), report, `${defaultRuntimesDirectory()}/java`);
  return {
    async list() {
      const found = await find();
      return await Promise.all(runtimeIds.map((id) => reportOf(id, found, directory)));
    },
    async add(id, { libraries, only }) {
      if (libraries) return await addLibraries(id, only, await find(), directory);
      return await addInterpreter(id, directory);
    },
    async remove(id) {
      return await removeFetched(id, directory);
    },
  };
}

async function reportOf(id: string, found: readonly Interpreter[], directory: string): Promise<RuntimeReport> {
  const exact = chooseInterpreter(id, found, false);
  const choice = exact.ok ? exact : chooseInterpreter(id, found, true);
  const libraries = (await exists(librariesDirectory(directory, id))) ? librariesDirectory(directory, id) : null;
  if (!choice.ok) return { id, runsOn: null, path: null, isFallback: false, note: choice.message, libraries };
  if (choice.interpreter === null) {
    const note = 'the program in the package';
    return { id, runsOn: note, path: null, isFallback: false, note: null, libraries };
  }
  const { version, path } = choice.interpreter;
  const runsOn = `${languageNameOf(id)} ${version}`;
  return { id, runsOn, path, isFallback: !exact.ok, note: choice.note, libraries };
}

/** The Node version that `id` names: a major (`16`), or all of it (`node@16.20.2`). */
function nodeVersionOf(id: string): string | null {
  const given = /^node(?:js)?@(.+)$/.exec(id)?.[1];
  if (given !== undefined && versionForm.test(given)) return given;
  const runtime = findRuntime(id);
  return runtime?.kind === 'startable' && runtime.language === 'node' ? `${runtime.version.major}` : null;
}

async function addInterpreter(id: string, directory: string): Promise<string> {
  const wanted = nodeVersionOf(id);
  if (wanted === null) throw new Error(adviceFor(id));
  if (Number.parseInt(wanted, 10) < 6)
    throw new Error(`the bootstrap runs on Node 6 and newer; '${id}' falls back to a newer one`);
  const name = `node-${process.platform}-${process.arch}`;
  const version = await newestOf(name, wanted);
  const place = `${directory}/node/${version}`;
  if (await exists(`${place}/bin/node`)) return `Node ${version} is there already: ${place}/bin/node`;
  await mkdir(`${directory}/node`, { recursive: true });
  const work = await mkdtemp(`${directory}/node/.fetch-`);
  try {
    const quiet = ['--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
    await run('npm', ['install', '--prefix', work, ...quiet, `${name}@${version}`]);
    const program = `${work}/node_modules/${name}/bin/node`;
    const { size } = await stat(program);
    if (size > programLimitBytes) throw new Error(`${name}@${version} holds ${size} bytes, more than is accepted`);
    const said = await run(program, ['--version']);
    if (said.trim() !== `v${version}`)
      throw new Error(`what was fetched is no Node ${version}: it says ${said.trim()}`);
    await rename(`${work}/node_modules/${name}`, place);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return `Node ${version} is there now: ${place}/bin/node`;
}

/** The newest version of `name` in the range that the registry has. */
async function newestOf(name: string, range: string): Promise<string> {
  const answer: unknown = JSON.parse((await run('npm', ['view', `${name}@${range}`, 'version', '--json'])) || '[]');
  const versions = (Array.isArray(answer) ? answer : [answer]).map(String).filter((each) => wholeVersion.test(each));
  const rank = (version: string) => version.split('.').reduce((sum, part) => sum * 1000 + Number(part), 0);
  const newest = versions.sort((a, b) => rank(a) - rank(b)).at(-1);
  if (newest === undefined) throw new Error(`npm has no ${name}@${range}`);
  return newest;
}

/** What to do for what is not fetched by us. */
function adviceFor(id: string): string {
  const runtime = findRuntime(id);
  if (runtime === null) return `'${id}' is no runtime id (see yunmen runtime list), nor node@<version>`;
  if (runtime.kind === 'program') return `'${id}' runs the program in the package: there is nothing to fetch`;
  if (runtime.kind === 'container') return `'${id}' runs an unpacked image: start the server with --image-dir`;
  if (runtime.kind === 'not-startable')
    return `'${id}' (${runtime.language}) cannot be run by this server; ${insteadOfRuntime}`;
  const { major, minor } = runtime.version;
  switch (runtime.language) {
    case 'python':
      return `Python is the system's: apt-get install python3, or for the named version pyenv install ${major}.${minor}`;
    case 'java':
      return "Java is the system's: apt-get install default-jdk-headless (17 or newer runs it, with --runtime-fallback)";
    case 'php':
      return `PHP is the system's: apt-get install php-cli (${major}.${minor} or newer runs it, with --runtime-fallback)`;
    case 'node':
      return `'${id}' cannot be fetched`;
  }
}

async function addLibraries(
  id: string,
  only: readonly string[],
  found: readonly Interpreter[],
  directory: string,
): Promise<string> {
  const set = preinstalledLibraries(id);
  if (set === null) throw new Error(`the cloud preinstalls no libraries for '${id}'`);
  const unknown = only.filter((name) => !set.includes(name));
  if (unknown.length > 0) throw new Error(`'${unknown.join(', ')}' is none of ${id}'s libraries: ${set.join(', ')}`);
  const names = (only.length === 0 ? set : only).filter((name) => libraryForm.test(name));
  const choice = chooseInterpreter(id, found, true);
  if (!choice.ok || choice.interpreter === null)
    throw new Error(choice.ok ? `'${id}' has no libraries` : choice.message);
  const place = librariesDirectory(directory, id);
  await mkdir(place, { recursive: true });
  const { language, path } = choice.interpreter;
  const left = await installAll(names, async (wanted) => {
    if (language === 'python') {
      await run(path, [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--upgrade',
        '--prefer-binary',
        '--target',
        place,
        ...wanted,
      ]);
    } else {
      const quiet = ['--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error', '--ignore-scripts'];
      await run('npm', ['install', '--prefix', place, ...quiet, ...wanted]);
    }
  });
  const there = names.filter((name) => !left.has(name));
  const missing = [...left].map(([name, why]) => `\n${name} is left out: ${why}`).join('');
  return `${there.join(', ')} for ${id}: ${place} (a server that runs sees them when it is started again)${missing}`;
}

/**
 * All at once; where that fails, one after the other, as of an old language some have no version any more. What could not be installed, with why.
 *
 * Errors: throws when nothing could be.
 */
export async function installAll(
  names: readonly string[],
  install: (names: readonly string[]) => Promise<void>,
): Promise<ReadonlyMap<string, string>> {
  const left = new Map<string, string>();
  try {
    await install(names);
  } catch (whole) {
    if (names.length === 1) throw whole;
    for (const name of names) {
      await install([name]).catch((error: unknown) => {
        const said = error instanceof Error ? error.message : String(error);
        left.set(name, said.trim().split('\n').at(-1) ?? '');
      });
    }
    if (left.size === names.length) throw whole;
  }
  return left;
}

async function removeFetched(id: string, directory: string): Promise<readonly string[]> {
  const wanted = nodeVersionOf(id);
  const versions = wanted === null ? [] : await readdir(`${directory}/node`).catch(() => []);
  const fits = versions.filter((version) => version === wanted || version.startsWith(`${wanted}.`));
  const places = [...fits.map((version) => `${directory}/node/${version}`), librariesDirectory(directory, id)];
  const there = (await Promise.all(places.map(async (place) => ((await exists(place)) ? [place] : [])))).flat();
  if (there.length === 0) throw new Error(`nothing was fetched for '${id}'`);
  for (const place of there) await rm(place, { recursive: true });
  return there;
}

/** What it wrote. Errors: throws with what it said on stderr. */
function run(file: string, args: readonly string[]): Promise<string> {
  const options = { timeout: fetchTimeoutMs, killSignal: 'SIGKILL', maxBuffer: outputLimitBytes } as const;
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${file} ${args[0]} failed: ${stderr.trim().slice(-2000) || error.message}`));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
