// Which of the interpreters found on this machine may run a runtime id. Pure; called once per started function.
import { findRuntime, type ProgramForm, type StartableLanguage } from './runtimes.ts';

/** An interpreter that was run and told its version. */
export type Interpreter = {
  readonly language: StartableLanguage;
  /** `3.11.2`, `20.20.2`. */
  readonly version: string;
  /** Absolute, links resolved. */
  readonly path: string;
  /** Directory that holds its libraries: what a sandbox has to show besides the system's own directories. */
  readonly prefix: string;
};

export type InterpreterChoice =
  /** The user's own program: nothing of this machine's is needed to run it. */
  | { readonly ok: true; readonly interpreter: null; readonly program: ProgramForm; readonly note: null }
  | { readonly ok: true; readonly interpreter: Interpreter; readonly note: string | null }
  /** `message` names the runtime, what was found and what would help. */
  | { readonly ok: false; readonly message: string };

const languageNames = { python: 'Python', node: 'Node' } as const satisfies Record<StartableLanguage, string>;

/**
 * The interpreter for `runtimeId`: exactly the named version (Python: major.minor; Node: major), else, with
 * `fallback`, the nearest newer one (Python: same major) with a note that says so. Never an older one.
 */
export function chooseInterpreter(
  runtimeId: string,
  found: readonly Interpreter[],
  fallback: boolean,
): InterpreterChoice {
  const runtime = findRuntime(runtimeId);
  if (runtime === null) return { ok: false, message: `runtime '${runtimeId}' is not known` };
  if (runtime.kind === 'program') return { ok: true, interpreter: null, program: runtime.form, note: null };
  if (runtime.kind === 'not-startable') {
    return { ok: false, message: `runtime '${runtimeId}' (${runtime.language}) cannot be run by this server` };
  }
  const rankOf = (each: { major: number; minor: number }) =>
    runtime.language === 'node' ? each.major * 1000 : each.major * 1000 + each.minor;
  const wanted = rankOf(runtime.version);
  // The oldest rank first, and of one rank the newest release.
  const candidates = found
    .filter((each) => each.language === runtime.language)
    .map((each) => ({ interpreter: each, ...parseVersion(each.version) }))
    .sort((a, b) => rankOf(a) - rankOf(b) || b.minor - a.minor || b.patch - a.patch);
  const exact = candidates.find((each) => rankOf(each) === wanted);
  if (exact !== undefined) return { ok: true, interpreter: exact.interpreter, note: null };
  const nearest = candidates.find(
    (each) => rankOf(each) > wanted && (runtime.language === 'node' || each.major === runtime.version.major),
  );
  const language = languageNames[runtime.language];
  const level =
    runtime.language === 'node' ? `${runtime.version.major}` : `${runtime.version.major}.${runtime.version.minor}`;
  if (nearest !== undefined && fallback) {
    const note = `${runtimeId} ran on ${language} ${nearest.interpreter.version}`;
    return { ok: true, interpreter: nearest.interpreter, note };
  }
  const versions = [...new Set(candidates.map((each) => each.interpreter.version))];
  const have = versions.length === 0 ? `no ${language} was found` : `found ${language} ${versions.join(', ')}`;
  const help =
    nearest === undefined
      ? `install ${language} ${level} where the server can find it (PATH, /usr/local/bin${runtime.language === 'python' ? ', pyenv' : ', nvm'})`
      : `install ${language} ${level}, or start the server with --runtime-fallback to use ${language} ${nearest.interpreter.version}`;
  return { ok: false, message: `runtime '${runtimeId}' needs ${language} ${level}: ${have}; ${help}` };
}

function parseVersion(version: string): { major: number; minor: number; patch: number } {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return { major, minor, patch };
}
