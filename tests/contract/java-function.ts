// The Java fixtures as a package: built by Maven with fc-java-core at the first use, and again when a source is newer.
// Used by the tests of the Java bootstrap and of functions in every language.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { withJavaBootstrap } from '../../src/functions/index.ts';
import { interpretersOf } from './bootstrap-interpreters.ts';

const project = fileURLToPath(new URL('../../fixtures/functions/java', import.meta.url));
const code = `${project}/build/code`;

/** Why the Java tests cannot run here; false when they can. */
export const noJava: string | false =
  interpretersOf('java').length === 0
    ? 'no Java 17 or newer on this machine (Debian: default-jdk-headless)'
    : spawnSync('mvn', ['--version'], { stdio: 'ignore' }).status !== 0 && 'no Maven on this machine (Debian: maven)';

/** fc-java-core and what it needs, after buildJavaFixtures(). */
export const javaLibraries = `${code}/lib`;

/** The package's files: classes at the root, fc-java-core in lib. */
export async function javaFunction(): Promise<Readonly<Record<string, Uint8Array>>> {
  await buildJavaFixtures();
  const names = readdirSync(code, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(`${code}/${name}`).isFile());
  return Object.fromEntries(files.map((name) => [name, readFileSync(`${code}/${name}`)]));
}

/** Builds the bootstrap and the fixtures where they are stale. */
export async function buildJavaFixtures(): Promise<void> {
  const reports: string[] = [];
  await withJavaBootstrap(interpretersOf('java'), (text) => reports.push(text));
  if (reports.length > 0) throw new Error(reports.join('\n'));
  const sources = readdirSync(`${project}/src`, { recursive: true, encoding: 'utf8' }).map((name) => `src/${name}`);
  const newest = Math.max(...[...sources, 'pom.xml'].map((name) => statSync(`${project}/${name}`).mtimeMs));
  if (existsSync(code) && statSync(code).mtimeMs > newest) return;
  execFileSync('mvn', ['-q', '-B', 'package'], { cwd: project, stdio: ['ignore', 'inherit', 'inherit'] });
  const fresh = `${project}/build/fresh`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  cpSync(`${project}/build/maven/classes`, fresh, { recursive: true });
  cpSync(`${project}/build/maven/lib`, `${fresh}/lib`, { recursive: true });
  rmSync(code, { recursive: true, force: true });
  renameSync(fresh, code);
}
