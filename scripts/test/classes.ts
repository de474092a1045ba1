// Which test files belong to which class, and how each class is run. Used by scripts/test.ts.
import { globSync } from 'node:fs';

export const classNames = ['unit', 'contract', 'e2e', 'security', 'conformance'] as const;
export type ClassName = (typeof classNames)[number];

/**
 * `isolation` none = all files in one process; process = one process a file. Limits: of one test, and of the whole class.
 * `isExpected`: without files the run fails. A class whose first file comes turns it on; from then on it cannot get lost.
 */
export type TestClass = {
  readonly name: ClassName;
  readonly patterns: readonly string[];
  readonly isExpected: boolean;
  readonly isolation: 'none' | 'process';
  readonly timeoutMs: number;
  readonly limitMs: number;
};

export const testClasses: readonly TestClass[] = [
  {
    name: 'unit',
    patterns: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'benches/**/*.test.ts'],
    isExpected: true,
    isolation: 'none',
    timeoutMs: 60_000,
    limitMs: 120_000,
  },
  {
    name: 'contract',
    patterns: ['src/**/*.contract.test.ts', 'tests/contract/**/*.test.ts'],
    isExpected: true,
    isolation: 'process',
    timeoutMs: 60_000,
    limitMs: 600_000,
  },
  {
    name: 'e2e',
    patterns: ['tests/e2e/**/*.test.ts'],
    isExpected: true,
    isolation: 'process',
    timeoutMs: 180_000,
    limitMs: 480_000,
  },
  {
    name: 'security',
    patterns: ['tests/security/**/*.test.ts'],
    isExpected: true,
    isolation: 'process',
    timeoutMs: 180_000,
    limitMs: 480_000,
  },
  {
    name: 'conformance',
    patterns: ['conformance/**/*.test.ts'],
    isExpected: true,
    isolation: 'process',
    timeoutMs: 180_000,
    limitMs: 480_000,
  },
];

/** Files of a class below `root`, sorted. A file in src/ that is a contract test is no unit test. */
export function filesOf({ name, patterns }: TestClass, root: string): string[] {
  const exclude = (path: string) => /(^|\/)node_modules(\/|$)/.test(path);
  const paths = globSync([...patterns], { cwd: root, exclude }).map((path) => path.replaceAll('\\', '/'));
  return paths.filter((path) => name !== 'unit' || !/\.contract\.test\.ts$/.test(path)).sort();
}

export function isClassName(text: string): text is ClassName {
  return (classNames as readonly string[]).includes(text);
}
