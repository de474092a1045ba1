// `npm run bench -- --only reload`: `yunmen dev` serves a project, its functions are saved again and again while a client asks: how
// soon the first answer of the new code is there. An old answer to a request sent after the notice fails the bench.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { percentile } from './cold.ts';
import { OneConnection } from './one-connection.ts';
import { startYunmen } from './processes.ts';
import { markdownTable } from './report.ts';

const saves = 25;
const restMs = 300;
/** Between an answer and the client's next request. */
const pauseMs = 5;
const giveUpMs = 10_000;
/** Dependencies that a package carries beside its code: as many files of 4 KB. */
const dependencyFiles = 500;

type Language = { readonly runtime: string; readonly file: string; code(stamp: string): string };

const python: Language = {
  runtime: 'python3',
  file: 'index.py',
  code: (stamp) =>
    [
      'import json',
      'def handler(event, context):',
      `    return json.dumps({'isBase64Encoded': False, 'statusCode': 200, 'headers': {}, 'body': '${stamp}'})`,
      '',
    ].join('\n'),
};
const node: Language = {
  runtime: 'nodejs20',
  file: 'index.js',
  code: (stamp) =>
    [
      'exports.handler = (event, context, callback) => {',
      `  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: '${stamp}' });`,
      '};',
      '',
    ].join('\n'),
};
const functions = {
  python: { label: 'Python', language: python, dependencies: 0 },
  node: { label: 'Node', language: node, dependencies: 0 },
  packed: { label: `Node beside ${dependencyFiles} files`, language: node, dependencies: dependencyFiles },
} as const;
type Name = keyof typeof functions;
const names = Object.keys(functions) as Name[];

function template(): string {
  const each = names.map(
    (name) => `    ${name}:
      Type: 'Aliyun::Serverless::Function'
      Properties: { Runtime: ${functions[name].language.runtime}, Handler: index.handler, CodeUri: ./${name}, MemorySize: 128, Timeout: 10 }
`,
  );
  const paths = names.map(
    (name) => `          /${name}:
            get:
              x-aliyun-apigateway-auth-type: ANONYMOUS
              x-aliyun-apigateway-fc: { arn: 'acs:fc:::services/bench/functions/${name}/', timeout: 10000 }
`,
  );
  return `ROSTemplateFormatVersion: '2015-09-01'
Transform: 'Aliyun::Serverless-2018-04-03'
Resources:
  bench:
    Type: 'Aliyun::Serverless::Service'
${each.join('')}  group:
    Type: 'Aliyun::Serverless::Api'
    Properties:
      StageName: RELEASE
      DefinitionBody:
        swagger: '2.0'
        info: { title: group, version: '1' }
        paths:
${paths.join('')}`;
}

function writeProject(folder: string): void {
  writeFileSync(`${folder}/template.yml`, template());
  for (const name of names) {
    const { language, dependencies } = functions[name];
    mkdirSync(`${folder}/${name}/node_modules/dependency`, { recursive: true });
    for (let each = 0; each < dependencies; each += 1) {
      const text = `exports.value = '${String(each).repeat(4096)}';\n`.slice(-4096);
      writeFileSync(`${folder}/${name}/node_modules/dependency/${each}.js`, text);
    }
    writeFileSync(`${folder}/${name}/${language.file}`, language.code('first'));
  }
}

/** Milliseconds since the file was written; `deploy` is what `dev` says itself that the reload took. */
type Reload = { readonly notice: number; readonly deploy: number; readonly answer: number };
type Notice = { readonly at: number; readonly ms: number };

/** Who waits for the notice of a function's reload. */
class Notices {
  readonly #waiting = new Map<string, (notice: Notice) => void>();

  /** The next reload of this function. */
  next(name: Name): Promise<Notice> {
    return new Promise((resolve) => this.#waiting.set(name, resolve));
  }

  heard(event: Readonly<Record<string, unknown>>): void {
    const at = performance.now();
    if (event['event'] === 'reload-failed') throw new Error(String(event['message']));
    const reloaded = Array.isArray(event['functions']) ? event['functions'].map(String) : [];
    for (const name of reloaded) this.#waiting.get(name)?.({ at, ms: Number(event['ms']) });
  }
}

type Bench = { readonly folder: string; readonly notices: Notices; readonly connection: OneConnection };

async function ask({ connection }: Bench, name: Name): Promise<string> {
  const { status, text } = await connection.get(`/${name}`);
  if (status !== 200) throw new Error(`${name}: ${status} ${text}`);
  return text;
}

/** Saves once and asks until the new code has answered and the notice was there. */
async function save(bench: Bench, name: Name, stamp: string): Promise<Reload> {
  const { language } = functions[name];
  let notice: Notice | null = null;
  void bench.notices.next(name).then((given) => {
    notice = given;
  });
  const heard = (): Notice | null => notice;
  const began = performance.now();
  writeFileSync(`${bench.folder}/${name}/${language.file}`, language.code(stamp));
  let answeredAt: number | null = null;
  for (;;) {
    const wasNoticed = heard() !== null;
    const isNew = (await ask(bench, name)) === stamp;
    const now = performance.now();
    if (isNew) answeredAt ??= now;
    else if (wasNoticed) throw new Error(`${name}: old code answered after the notice`);
    else if (answeredAt !== null) throw new Error(`${name}: old code answered after the new`);
    const given = heard();
    if (answeredAt !== null && given !== null && wasNoticed) {
      return { notice: given.at - began, deploy: given.ms, answer: answeredAt - began };
    }
    if (now - began > giveUpMs) throw new Error(`${name}: no new code after ${giveUpMs} ms`);
    await delay(pauseMs);
  }
}

export async function runReload(): Promise<string> {
  const folder = mkdtempSync(`${tmpdir()}/yunmen-bench-project-`);
  writeProject(folder);
  const notices = new Notices();
  try {
    const yunmen = await startYunmen([], { project: { folder, onEvent: (event) => notices.heard(event) } });
    const bench = { folder, notices, connection: new OneConnection(yunmen.gateway) };
    try {
      const reloads = new Map<Name, Reload[]>(names.map((name) => [name, []]));
      for (const name of names) await ask(bench, name);
      for (let turn = 0; turn <= saves; turn += 1) {
        for (const name of names) {
          await delay(restMs);
          const reload = await save(bench, name, `turn-${turn}`);
          if (turn > 0) reloads.get(name)?.push(reload); // the first opens what is opened once
        }
      }
      return describe(reloads, yunmen.isolation);
    } finally {
      bench.connection.close();
      await yunmen.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function describe(reloads: ReadonlyMap<Name, readonly Reload[]>, isolation: string): string {
  const rows = [...reloads].map(([name, list]) => {
    const of = (part: keyof Reload, quantile: number) =>
      percentile(
        list.map((each) => each[part]),
        quantile,
      ).toFixed(0);
    return [
      functions[name].label,
      of('deploy', 0.5),
      of('notice', 0.5),
      of('notice', 0.95),
      of('answer', 0.5),
      of('answer', 0.95),
      of('answer', 1),
    ];
  });
  const head = ['saved', 'deploy p50', 'notice p50', 'p95', 'new answer p50', 'p95', 'slowest'];
  return `A file saved under \`yunmen dev\`, tier ${isolation}, ${saves} times each in turns, ms from the write: the notice, and the first answer of the new code to a client that asks without end through the gateway, ${pauseMs} ms after each answer. No request sent after the notice was answered by old code.\n\n${markdownTable(head, rows)}`;
}
