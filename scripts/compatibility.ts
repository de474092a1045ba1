// `node scripts/compatibility.ts` writes docs/compatibility.md from the registry of operations; `--check` fails when the file is stale.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { choices } from '../src/control/choices.ts';
import { listOperations, type OperationStatus } from '../src/control/registry.ts';
import { gatewayErrors } from '../src/gateway/errors.ts';
import { unansweredCodes } from '../src/gateway/unanswered-codes.ts';

const path = fileURLToPath(new URL('../docs/compatibility.md', import.meta.url));
const regenerate = 'node scripts/compatibility.ts';

const titles: Readonly<Record<string, string>> = {
  CloudAPI: 'API Gateway (CloudAPI)',
  FC: 'Function Compute',
  Dysmsapi: 'SMS (Dysmsapi)',
};

const intro = `# Compatibility

Every operation of the cloud's APIs and what this server does with it, what is chosen where the cloud's documents leave it open, and the error
codes that its gateway never answers. Made by \`${regenerate}\` from \`src/control/\` and \`src/gateway/\`; do not edit.

- **done**: served as described. A case in \`conformance/\` asserts its effect through an official SDK.
- **partial**: served within the limits of the note, with such a case too; what is beyond them is refused with an error.
- **refused**: answers the service's own error (\`InvalidApi.NotFound\` or \`InvalidAction.NotFound\` with 404, \`PathNotSupported\`
  with 400), never a success.

Parameters that have nothing to do here are taken and do nothing: EnableTagAuth and the Tag of DeleteApp, DescribeAppSecurity,
DeleteApiGroup and DescribeApiGroup (permissions by tag), CreateSlr and CreateEventBridgeServiceLinkedRole (roles of the cloud), the Description of RemoveApisAuthorities,
the Language of DescribeRegions.
WebSocketApiType is kept and shown; there are no WebSocket channels, and APIs of each type answer as those of COMMON do.
`;

type Section = { readonly title: string; readonly rows: readonly OperationStatus[] };

function sectionsOf(operations: readonly OperationStatus[]): Section[] {
  const byVersion = Map.groupBy(operations, ({ product, version }) => `${titles[product] ?? product} ${version}`);
  return [...byVersion].map(([title, rows]) => ({
    title,
    rows: rows.toSorted((left, right) => (left.operation < right.operation ? -1 : 1)),
  }));
}

function count(rows: readonly OperationStatus[], status: OperationStatus['status']): number {
  return rows.filter((row) => row.status === status).length;
}

function countLine(title: string, rows: readonly OperationStatus[]): string {
  const counts = (['done', 'partial', 'refused'] as const).map((status) => count(rows, status));
  return `| ${[title, ...counts, rows.length].join(' | ')} |`;
}

/** The link that a heading gets on the usual renderers. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-');
}

/** The gateway's codes that nothing answers. */
function renderCodes(): string {
  const silent = unansweredCodes.flatMap(({ why, codes }) =>
    codes.map((code) => `| ${code} | ${why.replaceAll('|', '\\|')} |`),
  );
  const all = Object.keys(gatewayErrors).length;
  return [
    '## Error codes of the gateway',
    '',
    `Of ${all} codes the gateway answers ${all - silent.length}, each with its status, code and message (\`src/gateway/errors.ts\`). The others have no`,
    'condition here under which they could be answered:',
    '',
    '| code | why not |',
    '|---|---|',
    ...silent,
  ].join('\n');
}

function renderChoices(): string {
  const rows = choices.map(({ about, what }) => `| ${about} | ${what.replaceAll('|', '\\|')} |`);
  return [
    '## What is chosen here',
    '',
    'Where the documents leave something open, or mean something that a server of one’s own does not have:',
    '',
    '| what | here |',
    '|---|---|',
    ...rows,
  ].join('\n');
}

function render(operations: readonly OperationStatus[]): string {
  const sections = sectionsOf(operations);
  const counts = sections.map(({ title, rows }) => countLine(`[${title}](#${anchorOf(title)})`, rows));
  const tables = sections.map(({ title, rows }) => {
    const lines = rows.map(
      ({ operation, status, note }) => `| ${operation} | ${status} | ${note.replaceAll('|', '\\|')} |`,
    );
    return [`## ${title}`, '', '| operation | status | note |', '|---|---|---|', ...lines].join('\n');
  });
  const top = [
    '| API | done | partial | refused | all |',
    '|---|---|---|---|---|',
    ...counts,
    countLine('all', operations),
  ];
  return `${[intro, top.join('\n'), renderChoices(), renderCodes(), ...tables].join('\n\n').replaceAll('\n\n\n', '\n\n')}\n`;
}

const text = render(await listOperations());
if (!process.argv.includes('--check')) {
  writeFileSync(path, text);
} else if (!existsSync(path) || readFileSync(path, 'utf8') !== text) {
  console.log(
    `docs/compatibility.md does not tell what src/control/ (registry.ts, choices.ts) and src/gateway/unanswered-codes.ts say: run ${regenerate}`,
  );
  process.exitCode = 1;
}
