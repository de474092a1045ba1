// The function that benches of languages measure, an echo, in each of them. Used by cold.ts, languages.ts and others.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Interpreter } from '../src/functions/index.ts';
import type { FunctionConfig } from '../src/model/function.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

export type Echo = {
  readonly runtime: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly more?: Partial<FunctionConfig>;
  /** What it answers to an event; absent: the event. */
  readonly answerTo?: (event: string) => string;
};

export const echoes = {
  Python: { runtime: 'python3.10', files: { 'index.py': 'def handler(event, context):\n    return event\n' } },
  Node: {
    runtime: 'nodejs20',
    files: { 'index.js': 'exports.handler = (event, context, callback) => callback(null, event);\n' },
  },
  PHP: {
    runtime: 'php7.2',
    files: { 'index.php': '<?php\nfunction handler($event, $context) { return $event; }\n' },
  },
} as const;

/** A custom runtime's server without its first line, which names the Node that runs it. */
export const nodeServer = [
  "const { createServer } = require('http');",
  'const server = createServer((request, response) => {',
  '  const parts = [];',
  "  request.on('data', (part) => parts.push(part));",
  "  request.on('end', () => response.end(Buffer.concat(parts)));",
  '});',
  'server.keepAliveTimeout = 0;',
  "server.listen(process.env.FC_SERVER_PORT, '0.0.0.0');",
  '',
].join('\n');

/** How a custom runtime is started: by its file `bootstrap`. */
export const httpServer: Partial<FunctionConfig> = {
  server: { command: [], args: [], port: 9000, healthCheck: null, image: null },
};

/** Those that have a bootstrap and can run here; the rest with the reason. */
export function contestants(found: readonly Interpreter[]): {
  readonly echoes: ReadonlyMap<string, Echo>;
  readonly missing: string[];
} {
  const all = new Map<string, Echo>(Object.entries(echoes));
  const missing: string[] = [];
  add(all, missing, 'Java', () => javaEcho(found));
  return { echoes: all, missing };
}

/** Programs that bring their own way to be asked: over HTTP, or by the runtime API. Those of the node that is given and of Go. */
export function programs(missing: string[]): ReadonlyMap<string, Echo> {
  const all = new Map<string, Echo>();
  add(all, missing, 'Node server (custom, HTTP)', () => ({
    runtime: 'custom',
    // A package brings what it needs: the sandbox shows no interpreter.
    files: { bootstrap: `#!/code/node\n${nodeServer}`, node: readFileSync(process.execPath) },
    more: httpServer,
  }));
  add(all, missing, 'Go (runtime API)', goEcho);
  return all;
}

function add(all: Map<string, Echo>, missing: string[], name: string, make: () => Echo): void {
  try {
    all.set(name, make());
  } catch (error) {
    missing.push(`${name}: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`);
  }
}

/** Compiled with the interfaces that the bootstrap's own rehearsal has, as a package brings those of fc-java-core. */
function javaEcho(found: readonly Interpreter[]): Echo {
  const java = found.find(({ language }) => language === 'java');
  if (java === undefined) throw new Error('there is no Java 17 or newer');
  const interfaces = `${root}runtimes/java/rehearsal/com/aliyun/fc/runtime`;
  const sources = readdirSync(interfaces).map((name) => `${interfaces}/${name}`);
  const files = build((directory) => {
    const echo = `${root}fixtures/functions/java/src/main/java/example/Echo.java`;
    const flags = ['--release', '17', '-nowarn', '-d', directory];
    execFileSync(`${dirname(java.path)}/javac`, [...flags, ...sources, echo], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  });
  return { runtime: 'java11', files, more: { handler: 'example.Echo::handleRequest' } };
}

/** Answers a Go text, quoted. */
function goEcho(): Echo {
  const files = build((directory) =>
    execFileSync('go', ['build', '-o', `${directory}/main`, '.'], {
      cwd: `${root}fixtures/functions/go`,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  return { runtime: 'go1', files, more: { handler: 'main' }, answerTo: (event) => JSON.stringify(event) };
}

/** One source file without modules of others, compiled to `name`. Errors: throws without Go. */
export function goProgram(source: string, name: string): Readonly<Record<string, Uint8Array>> {
  const files = build((directory) => {
    writeFileSync(`${directory}/main.go`, source);
    writeFileSync(`${directory}/go.mod`, 'module bench\n\ngo 1.18\n');
    execFileSync('go', ['build', '-o', name, '.'], {
      cwd: directory,
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  });
  const { [name]: program } = files;
  if (program === undefined) throw new Error('nothing was compiled');
  return { [name]: program };
}

/** What is left in a directory that goes afterwards. */
function build(into: (directory: string) => void): Readonly<Record<string, Uint8Array>> {
  const directory = mkdtempSync(`${tmpdir()}/yunmen-bench-build-`);
  try {
    into(directory);
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => statSync(`${directory}/${name}`).isFile());
    return Object.fromEntries(files.map((name) => [name, readFileSync(`${directory}/${name}`)]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
