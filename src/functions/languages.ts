// The languages that have a bootstrap in runtimes/<language>/: a row each, with all that the platform knows of them.
// Read by who looks for interpreters, chooses one and starts it. A new language is a row here, its ids in runtimes.ts,
// the bootstrap's folder, and the fixtures that the bootstraps' contract tests name.

export const languageIds = ['python', 'node', 'java', 'php'] as const;
export type StartableLanguage = (typeof languageIds)[number];

export type Version = { readonly major: number; readonly minor: number };

export type Language = {
  /** As people say it. */
  readonly name: string;
  /** What a runtime id names: `major` (Node 20) or `minor` (Python 3.10). */
  readonly level: 'major' | 'minor';
  /** Whether a newer major may stand in for an older one. */
  readonly crossesMajors: boolean;
  /** The oldest that the bootstrap runs on. */
  readonly oldest: Version;
  /** Names of the program. */
  readonly program: RegExp;
  /** Arguments with which a found program writes its version in the first line; then, if it can, its library directory. */
  readonly question: readonly string[];
  /** Where else to put one, for refusals. */
  readonly place: string;
  /** In a checkout its bootstrap is built once: functions of it wait for that, others do not. */
  readonly isBuilt?: boolean;
  /** Arguments that start the bootstrap; `runtimePath` is its folder as the instance sees it. */
  command(runtimePath: string, memoryMb: number): readonly string[];
};

/** Works from Python 2.7 on. */
const pythonQuestion =
  'import sys;sys.stdout.write("%d.%d.%d\\n%s\\n" % (sys.version_info[:3] + (getattr(sys, "base_prefix", sys.prefix),)))';

/** Share of the function's memory for Java's heap; the rest is for its threads, classes and code. Assumed. */
const heapShare = 0.7;

export const languages = {
  python: {
    name: 'Python',
    level: 'minor',
    crossesMajors: false,
    oldest: { major: 2, minor: 7 },
    program: /^python(\d(\.\d+)?)?$/,
    question: ['-S', '-E', '-c', pythonQuestion],
    place: 'PATH, /usr/local/bin, pyenv',
    // No byte code beside the code, no user site.
    command: (runtimePath) => ['-B', '-s', `${runtimePath}/bootstrap.py`],
  },
  node: {
    name: 'Node',
    level: 'major',
    crossesMajors: true,
    oldest: { major: 6, minor: 0 },
    program: /^node(js)?$/,
    question: ['-e', 'process.stdout.write(process.versions.node + "\\n")'],
    place: "PATH, /usr/local/bin, nvm, or 'yunmen runtime add'",
    command: (runtimePath) => [`${runtimePath}/bootstrap.cjs`],
  },
  java: {
    name: 'Java',
    level: 'major',
    crossesMajors: true,
    // The first with sockets of the unix kind is 16; 17 is the first that is kept.
    oldest: { major: 17, minor: 0 },
    program: /^java$/,
    question: ['--version'],
    place: 'PATH, /usr/lib/jvm (Debian: default-jdk-headless)',
    isBuilt: true,
    command: (runtimePath, memoryMb) => [
      `-Xmx${Math.max(16, Math.floor(memoryMb * heapShare))}m`,
      // Small functions: one collector thread and the quick compiler start soonest and take the least memory.
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Xshare:auto',
      '-Dfile.encoding=UTF-8',
      // Java 8 let code look into these; programs for java8 do. The bootstrap cleans the environment through them.
      '--add-opens=java.base/java.lang=ALL-UNNAMED',
      '--add-opens=java.base/java.util=ALL-UNNAMED',
      '-cp',
      `${runtimePath}/build/bootstrap.jar`,
      'yunmen.Bootstrap',
    ],
  },
  php: {
    name: 'PHP',
    level: 'minor',
    crossesMajors: true,
    oldest: { major: 7, minor: 2 },
    program: /^php(\d(\.\d+)?)?$/,
    question: ['-n', '-r', 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION, ".", PHP_RELEASE_VERSION, "\\n";'],
    place: 'PATH, /usr/local/bin (Debian: php-cli)',
    // Errors are the bootstrap's to log. The memory limit is the image's; source: docs.
    command: (runtimePath) => [
      '-d',
      'memory_limit=3072M',
      '-d',
      'display_errors=1',
      '-d',
      'html_errors=0',
      '-d',
      'log_errors=0',
      '-d',
      'implicit_flush=1',
      '-d',
      'output_buffering=0',
      // Where it is installed it changes what errors and dumps look like, and it is slow; the cloud has none.
      '-d',
      'xdebug.mode=off',
      `${runtimePath}/bootstrap.php`,
    ],
  },
} as const satisfies Readonly<Record<StartableLanguage, Language>>;

/** The row; typed as all of them are. */
export function languageOf(id: StartableLanguage): Language {
  return languages[id];
}

/** How a version is told at the language's level: `20`, `3.10`. */
export function levelText({ level }: Language, { major, minor }: Version): string {
  return level === 'major' ? `${major}` : `${major}.${minor}`;
}
