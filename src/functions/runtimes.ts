// Every runtime id that was ever valid: its language, the version it names and whether it can be started here.
// Read by invoke's start path and, through index.ts, by control.
import type { StartableLanguage, Version } from './languages.ts';

/** Languages whose bootstraps take several requests at a time. */
export const concurrentLanguages: ReadonlySet<StartableLanguage> = new Set<StartableLanguage>([
  'node',
  'python',
  'java',
]);

export type ProgramForm = 'server' | 'polling';

export type Runtime =
  | {
      readonly kind: 'startable';
      readonly language: StartableLanguage;
      /** Node, Java: the major alone (minor 0). */
      readonly version: Version;
    }
  /** The user's own program. server: it listens for HTTP. polling: it polls the runtime API. */
  | { readonly kind: 'program'; readonly form: ProgramForm }
  /** A server in an image. */
  | { readonly kind: 'container' }
  /** Accepted at create; an invocation is refused by name. */
  | { readonly kind: 'not-startable'; readonly language: string };

const startable = (language: StartableLanguage, major: number, minor = 0): Runtime => ({
  kind: 'startable',
  language,
  version: { major, minor },
});
const python = (major: number, minor: number) => startable('python', major, minor);
const node = (major: number) => startable('node', major);
const program = (form: ProgramForm): Runtime => ({ kind: 'program', form });
const notYet = (language: string): Runtime => ({ kind: 'not-startable', language });

/** Source: docs. `python3` is 3.6. */
export const runtimes = {
  'nodejs4.4': node(4),
  nodejs6: node(6),
  nodejs8: node(8),
  nodejs10: node(10),
  nodejs12: node(12),
  nodejs14: node(14),
  nodejs16: node(16),
  nodejs18: node(18),
  nodejs20: node(20),
  'python2.7': python(2, 7),
  python3: python(3, 6),
  'python3.9': python(3, 9),
  'python3.10': python(3, 10),
  'python3.12': python(3, 12),
  java8: startable('java', 8),
  java11: startable('java', 11),
  'php7.2': startable('php', 7, 2),
  go1: program('polling'),
  'dotnetcore2.1': notYet('.NET Core 2.1'),
  'dotnetcore3.1': notYet('.NET Core 3.1'),
  custom: program('server'),
  'custom.debian10': program('server'),
  'custom.debian11': program('server'),
  'custom.debian12': program('server'),
  'custom-container': { kind: 'container' },
} as const satisfies Readonly<Record<string, Runtime>>;

/** What to do with a program of .NET. Tried: such a package serves in tier strong (docs/decisions/0031-dotnet.md). */
export const insteadOfRuntime =
  'publish it with its runtime (dotnet publish -r linux-x64 --self-contained) and start it as a custom runtime (a server, in the file bootstrap)';

export type RuntimeId = keyof typeof runtimes;

const rows: ReadonlyMap<string, Runtime> = new Map<string, Runtime>(Object.entries(runtimes));

/** The row of a wire id; null for an id that never was one. */
export function findRuntime(id: string): Runtime | null {
  return rows.get(id) ?? null;
}

/** True for every id that was ever valid. */
export function isKnownRuntime(id: string): boolean {
  return rows.has(id);
}

/** All ids, in the order of the table. */
export const runtimeIds: readonly string[] = Object.keys(runtimes);
