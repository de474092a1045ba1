// What the bootstraps' contract tests need to know of each language: its fixtures and what differs between languages.
// A new language is a row here.
import { fileURLToPath } from 'node:url';
import type { StartableLanguage } from '../../src/functions/languages.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export type LanguageFixtures = {
  /** The code directory. */
  readonly code: string;
  /** A runtime id whose rules the common cases run under. */
  readonly dialect: string;
  /** What the result "nothing" is as bytes. */
  readonly nothing: string;
  /** More than the interpreter with an echo function takes. */
  readonly peakKbLimit: number;
  /** FC_ variables that a function of this dialect sees, of those that the test sets. */
  readonly visible: readonly string[];
  /** A handler that two requests must be inside of at once; null: the bootstrap takes one at a time. */
  readonly meets: string | null;
  readonly names: {
    readonly [Name in
      | 'echo'
      | 'measures'
      | 'returns6Mb'
      | 'returnsNothing'
      | 'lastLine'
      | 'childWrites'
      | 'floods'
      | 'exits'
      | 'throws'
      | 'printsBinary'
      | 'initialize'
      | 'isInitialised'
      | 'failsToInitialize'
      | 'preFreeze'
      | 'preStop'
      | 'directory'
      | 'exitsAtLoad'
      | 'process'
      | 'env'
      | 'context'
      | 'daemonises'
      | 'httpEcho'
      | 'httpLarge'
      | 'httpThrows']: string;
  };
};

const oldVariables = ['FC_FUNCTION_NAME', 'FC_FUNC_CODE_PATH', 'FC_REGION'];

export const fixturesOf: Readonly<Record<StartableLanguage, LanguageFixtures>> = {
  python: {
    code: `${root}fixtures/functions/python`,
    dialect: 'python3.10',
    meets: 'odd.meets',
    nothing: 'null',
    peakKbLimit: 400_000,
    visible: oldVariables,
    names: {
      echo: 'echo.handler',
      measures: 'odd.measures',
      returns6Mb: 'odd.returns_6mb',
      returnsNothing: 'odd.returns_nothing',
      lastLine: 'odd.prints_last_line',
      childWrites: 'odd.child_writes',
      floods: 'odd.floods',
      exits: 'odd.exits',
      throws: 'odd.throws',
      printsBinary: 'odd.prints_binary',
      initialize: 'odd.initialize',
      isInitialised: 'odd.is_initialised',
      failsToInitialize: 'odd.fails_to_initialize',
      preFreeze: 'odd.pre_freeze',
      preStop: 'odd.pre_stop',
      directory: 'pkg/main.handler',
      exitsAtLoad: 'exits_at_import.handler',
      process: 'odd.process',
      env: 'odd.env',
      context: 'odd.context',
      daemonises: 'odd.daemonises',
      httpEcho: 'web.echo',
      httpLarge: 'web.large',
      httpThrows: 'web.throws',
    },
  },
  node: {
    code: `${root}fixtures/functions/nodejs`,
    dialect: 'nodejs20',
    meets: 'odd.meets',
    nothing: '',
    peakKbLimit: 400_000,
    visible: oldVariables,
    names: {
      echo: 'echo.handler',
      measures: 'odd.measures',
      returns6Mb: 'odd.returns6Mb',
      returnsNothing: 'odd.returnsNothing',
      lastLine: 'odd.printsLastLine',
      childWrites: 'odd.childWrites',
      floods: 'odd.floods',
      exits: 'odd.exits',
      throws: 'odd.throws',
      printsBinary: 'odd.printsBinary',
      initialize: 'odd.initialize',
      isInitialised: 'odd.isInitialised',
      failsToInitialize: 'odd.failsToInitialize',
      preFreeze: 'odd.preFreeze',
      preStop: 'odd.preStop',
      directory: 'dir/main.handler',
      exitsAtLoad: 'exits-at-load.handler',
      process: 'odd.process',
      env: 'odd.env',
      context: 'odd.context',
      daemonises: 'odd.daemonises',
      httpEcho: 'web.echo',
      httpLarge: 'web.large',
      httpThrows: 'web.throws',
    },
  },
  php: {
    code: `${root}fixtures/functions/php`,
    dialect: 'php7.2',
    meets: null,
    nothing: '',
    peakKbLimit: 400_000,
    visible: oldVariables,
    names: {
      echo: 'echo.handler',
      measures: 'odd.measures',
      returns6Mb: 'odd.returns6Mb',
      returnsNothing: 'odd.returnsNothing',
      lastLine: 'odd.printsLastLine',
      childWrites: 'odd.childWrites',
      floods: 'odd.floods',
      exits: 'odd.exits',
      throws: 'odd.throws',
      printsBinary: 'odd.printsBinary',
      initialize: 'odd.initialize',
      isInitialised: 'odd.isInitialised',
      failsToInitialize: 'odd.failsToInitialize',
      preFreeze: 'odd.preFreeze',
      preStop: 'odd.preStop',
      directory: 'dir/main.handler',
      exitsAtLoad: 'exits_at_load.handler',
      process: 'odd.process',
      env: 'odd.env',
      context: 'odd.context',
      daemonises: 'odd.daemonises',
      httpEcho: 'web.echoes',
      httpLarge: 'web.large',
      httpThrows: 'web.throws',
    },
  },
  java: {
    // Built from fixtures/functions/java by the test that uses it.
    code: `${root}fixtures/functions/java/build/code`,
    dialect: 'java11',
    meets: 'example.Meets::handleRequest',
    nothing: '',
    peakKbLimit: 900_000,
    visible: ['FC_FUNC_CODE_PATH'],
    names: {
      echo: 'example.Echo::handleRequest',
      measures: 'example.Measures::handleRequest',
      returns6Mb: 'example.Returns6Mb::handleRequest',
      returnsNothing: 'example.ReturnsNothing::handleRequest',
      lastLine: 'example.PrintsLastLine::handleRequest',
      childWrites: 'example.ChildWrites::handleRequest',
      floods: 'example.Floods::handleRequest',
      exits: 'example.Exits::handleRequest',
      throws: 'example.Throws::handleRequest',
      printsBinary: 'example.PrintsBinary::handleRequest',
      initialize: 'example.Hooks::initialize',
      isInitialised: 'example.Hooks::handleRequest',
      failsToInitialize: 'example.FailsToInitialize::initialize',
      preFreeze: 'example.Hooks::preFreeze',
      preStop: 'example.Hooks::preStop',
      directory: 'example.deeper.Echo::handleRequest',
      exitsAtLoad: 'example.ExitsAtLoad::handleRequest',
      process: 'example.Process::handleRequest',
      env: 'example.Env::handleRequest',
      context: 'example.ShowsContext::handleRequest',
      daemonises: 'example.Daemonises::handleRequest',
      httpEcho: 'example.HttpEcho::handleRequest',
      httpLarge: 'example.HttpLarge::handleRequest',
      httpThrows: 'example.HttpThrows::handleRequest',
    },
  },
};
