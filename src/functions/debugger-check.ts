// Whether the interpreter that will run a function has its language's debugger, found by asking it. Called by `dev --debug`,
// before a server is started; Node and Java bring theirs.
import { execFile } from 'node:child_process';
import type { DebuggerQuestion } from '../model/debugging.ts';
import { chooseInterpreter, type Interpreter } from './choose-interpreter.ts';
import { findInterpreters } from './interpreters.ts';
import type { StartableLanguage } from './languages.ts';

type Ask = {
  /** Arguments with which the interpreter ends with 0 when its debugger is there. */
  readonly args: readonly string[];
  environment(about: DebuggerQuestion): Readonly<Record<string, string>>;
  advice(path: string): string;
};

const questions: Readonly<Record<StartableLanguage, Ask | null>> = {
  node: null,
  java: null,
  python: {
    args: ['-B', '-s', '-c', 'import debugpy'],
    environment({ environment, codeDirectory, layerDirectories }) {
      const own = environment['PYTHONPATH'];
      const layers = layerDirectories.map((layer) => `${layer}/python`);
      return { PYTHONPATH: [...(own === undefined ? [] : [own]), codeDirectory, ...layers].join(':') };
    },
    advice: (path) => `debugpy is not installed for ${path}; install it: ${path} -m pip install debugpy`,
  },
  php: {
    // Since Xdebug 3.1.
    args: ['-r', 'exit(function_exists("xdebug_connect_to_client") ? 0 : 1);'],
    environment: ({ environment, codeDirectory }) => ({
      PHP_INI_SCAN_DIR: environment['PHP_INI_SCAN_DIR'] ?? `:${codeDirectory}/extension`,
    }),
    advice: (path) =>
      `${path} has no Xdebug of version 3.1 or newer; install it: apt-get install php-xdebug (where it is installed: phpenmod xdebug)`,
  },
};

const answerLimitMs = 20_000;

/**
 * Null: it is there, or an invocation will say what else is missing.
 * Returns a sentence for the user with the one line that installs it.
 */
export async function findMissingDebugger(
  about: DebuggerQuestion,
  interpreters: readonly Interpreter[] | null = null,
): Promise<string | null> {
  const found = interpreters ?? (await findInterpreters());
  const choice = chooseInterpreter(about.runtime, found, about.runtimeFallback);
  if (!choice.ok || choice.interpreter === null) return null;
  const { language, path } = choice.interpreter;
  const question = questions[language];
  if (question === null) return null;
  const env = { ...about.environment, ...question.environment(about) };
  const isThere = await new Promise<boolean>((resolve) => {
    execFile(path, question.args, { env, timeout: answerLimitMs }, (error) => resolve(error === null));
  });
  return isThere ? null : question.advice(path);
}
