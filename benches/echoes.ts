// The function that benches of languages measure, an echo, in each of them. Used by cold.ts, languages.ts and others.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FunctionConfig } from '../src/model/function.ts';

const javaCode = fileURLToPath(new URL('../fixtures/functions/java/build/code', import.meta.url));

export type Echo = {
  readonly runtime: string;
  readonly files: Readonly<Record<string, string | Uint8Array>>;
  readonly more?: Partial<FunctionConfig>;
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

/** Those that can run here; the rest with the reason. */
export function contestants(): { readonly echoes: ReadonlyMap<string, Echo>; readonly missing: string[] } {
  const all = new Map<string, Echo>(Object.entries(echoes));
  const missing: string[] = [];
  if (existsSync(javaCode)) {
    const names = readdirSync(javaCode, { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => statSync(`${javaCode}/${name}`).isFile());
    all.set('Java', {
      runtime: 'java11',
      files: Object.fromEntries(files.map((name) => [name, readFileSync(`${javaCode}/${name}`)])),
      more: { handler: 'example.Echo::handleRequest' },
    });
  } else {
    missing.push('Java: its fixtures are built by the tests of its bootstrap');
  }
  return { echoes: all, missing };
}
