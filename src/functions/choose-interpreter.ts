// Which of the interpreters found on this machine may run a runtime id. Pure; called once per started function.
import type { UnpackedImage } from './images.ts';
import { type Language, languageOf, levelText, type StartableLanguage, type Version } from './languages.ts';
import { findRuntime, insteadOfRuntime, type ProgramForm } from './runtimes.ts';

/** An interpreter that was run and told its version. */
export type Interpreter = {
  readonly language: StartableLanguage;
  /** `3.11.2`, `20.20.2`. */
  readonly version: string;
  /** Absolute, links resolved. */
  readonly path: string;
  /** Directory that holds its libraries: what a sandbox has to show besides the system's own directories. */
  readonly prefix: string;
  /** Settings of it elsewhere, which a sandbox has to show, too. */
  readonly shows?: readonly string[];
  /** Where the cloud's preinstalled libraries are, by runtime id, if somebody added them; among `shows`. */
  readonly libraries?: Readonly<Record<string, string>>;
};

export type InterpreterChoice =
  /** The user's own program. It may start interpreters of the system by name: `shows` are their settings. */
  | {
      readonly ok: true;
      readonly interpreter: null;
      readonly program: ProgramForm;
      readonly shows: readonly string[];
      /** The root that it gets instead of this machine's. */
      readonly image?: UnpackedImage;
      readonly note: null;
    }
  | { readonly ok: true; readonly interpreter: Interpreter; readonly note: string | null }
  /** `message` names the runtime, what was found and what would help. */
  | { readonly ok: false; readonly message: string };

/** Of interpreters that a program of the user's might start; a sandbox shows a few dozen things at most. */
const showsLimit = 16;

/**
 * The interpreter for `runtimeId`: exactly the named version (languages.ts says how far one is named), else, with
 * `fallback`, the nearest newer one (Python: same major) with a note that says so. Never an older one.
 */
export function chooseInterpreter(
  runtimeId: string,
  found: readonly Interpreter[],
  fallback: boolean,
): InterpreterChoice {
  const runtime = findRuntime(runtimeId);
  if (runtime === null) return { ok: false, message: `runtime '${runtimeId}' is not known` };
  if (runtime.kind === 'program') {
    const shows = [...new Set(found.flatMap((each) => each.shows ?? []))].sort().slice(0, showsLimit);
    return { ok: true, interpreter: null, program: runtime.form, shows, note: null };
  }
  if (runtime.kind === 'container') return { ok: false, message: `runtime '${runtimeId}' needs its image` };
  if (runtime.kind === 'not-startable') {
    return {
      ok: false,
      message: `runtime '${runtimeId}' (${runtime.language}) cannot be run by this server; ${insteadOfRuntime}`,
    };
  }
  const language = languageOf(runtime.language);
  const rankOf = ({ major, minor }: Version) => major * 1000 + (language.level === 'major' ? 0 : minor);
  const wanted = rankOf(runtime.version);
  // The oldest rank first, and of one rank the newest release.
  const candidates = found
    .filter((each) => each.language === runtime.language)
    .map((each) => ({ interpreter: each, ...parseVersion(each.version) }))
    .sort((a, b) => rankOf(a) - rankOf(b) || b.minor - a.minor || b.patch - a.patch);
  const exact = candidates.find((each) => rankOf(each) === wanted);
  if (exact !== undefined) return { ok: true, interpreter: exact.interpreter, note: null };
  const nearest = candidates.find(
    (each) => rankOf(each) > wanted && (language.crossesMajors || each.major === runtime.version.major),
  );
  if (nearest !== undefined && fallback) {
    const note = `${runtimeId} ran on ${language.name} ${nearest.interpreter.version}`;
    return { ok: true, interpreter: nearest.interpreter, note };
  }
  const versions = [...new Set(candidates.map((each) => each.interpreter.version))];
  const message = refusal(runtimeId, language, runtime.version, { versions, nearest: nearest?.interpreter ?? null });
  return { ok: false, message };
}

function refusal(
  runtimeId: string,
  language: Language,
  wanted: Version,
  have: { readonly versions: readonly string[]; readonly nearest: Interpreter | null },
): string {
  const { name } = language;
  const level = levelText(language, wanted);
  const found = have.versions.length === 0 ? `no ${name} was found` : `found ${name} ${have.versions.join(', ')}`;
  // The named version itself is of no use where the bootstrap is newer than it.
  const canRun = rankOfVersion(wanted) >= rankOfVersion(language.oldest);
  const install = canRun
    ? `install ${name} ${level} where the server can find it (${language.place})`
    : `no bootstrap runs on ${name} ${level}; install ${name} ${levelText(language, language.oldest)} or newer (${language.place})`;
  const help =
    have.nearest === null
      ? canRun
        ? install
        : `${install} and start the server with --runtime-fallback`
      : `${canRun ? `install ${name} ${level}, or ` : ''}start the server with --runtime-fallback to use ${name} ${have.nearest.version}`;
  return `runtime '${runtimeId}' needs ${name} ${level}: ${found}; ${help}`;
}

function rankOfVersion({ major, minor }: Version): number {
  return major * 1000 + minor;
}

/** Of `3.11.2`; what is missing is 0. */
export function parseVersion(version: string): { major: number; minor: number; patch: number } {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map((part) => Number.parseInt(part, 10) || 0);
  return { major, minor, patch };
}
