// `yunmen key create|list|disable|enable|delete`: the access keys that may call a server's APIs.
import { encodeRfc3986 } from '../../wire/percent-encoding.ts';
import { formatUtcSeconds } from '../../wire/utc-time.ts';
import { isRecord, type JsonRecord, readNumber, readText } from '../client/json.ts';
import { findApiTarget, type TargetFlags } from '../client/local-server.ts';
import { callRoa, readAnswer } from '../client/openapi.ts';
import { columns, createPrinter } from '../output.ts';
import type { CliDeps } from '../server-port.ts';

export type KeyFlags = TargetFlags & { readonly json?: boolean; readonly readOnly?: boolean };

/** Signed with an admin key. Errors: ApiRefusal with the server's code. */
async function callKeys(
  flags: KeyFlags,
  deps: CliDeps,
  call: { readonly method: 'GET' | 'POST' | 'DELETE'; readonly path: string; readonly json?: unknown },
): Promise<JsonRecord> {
  const target = await findApiTarget(flags, deps.env, deps.cwd);
  const { method, path, json } = call;
  const withBody =
    json === undefined ? {} : { body: Buffer.from(JSON.stringify(json)), contentType: 'application/json' };
  const asked = { method, path: `/yunmen/keys${path}`, action: 'ManageKeys', version: 'yunmen', ...withBody };
  return readAnswer(await callRoa(target, asked));
}

/** Prints the new key; its secret is shown here and never again. */
export async function create(flags: KeyFlags, deps: CliDeps): Promise<number> {
  const access = flags.readOnly === true ? 'read-only' : 'admin';
  const key = await callKeys(flags, deps, { method: 'POST', path: '', json: { access } });
  const printer = createPrinter(deps, flags.json === true);
  printer.json(key);
  const rows = [
    ['AccessKeyId', readText(key, 'accessKeyId') ?? ''],
    ['AccessKeySecret', readText(key, 'accessKeySecret') ?? ''],
    ['Access', access],
  ];
  for (const line of columns(rows)) printer.line(line);
  if (!printer.isJson) printer.note('Keep the secret now: it is not shown again.');
  return 0;
}

export async function list(flags: KeyFlags, deps: CliDeps): Promise<number> {
  const answer = await callKeys(flags, deps, { method: 'GET', path: '' });
  const printer = createPrinter(deps, flags.json === true);
  printer.json(answer);
  const keys = Array.isArray(answer['keys']) ? answer['keys'].filter(isRecord) : [];
  const rows = keys.map((key) => [
    readText(key, 'accessKeyId') ?? '',
    readText(key, 'access') ?? '',
    key['isRoot'] === true ? 'root' : (readText(key, 'status') ?? ''),
    timeText(readNumber(key, 'createdAt')),
    timeText(readNumber(key, 'lastUsedAt')),
  ]);
  for (const line of columns([['ID', 'ACCESS', 'STATUS', 'CREATED', 'LAST USED (HOUR)'], ...rows])) printer.line(line);
  return 0;
}

export async function setEnabled(id: string, isEnabled: boolean, flags: KeyFlags, deps: CliDeps): Promise<number> {
  const verb = isEnabled ? 'enable' : 'disable';
  const key = await callKeys(flags, deps, { method: 'POST', path: `/${encodeRfc3986(id)}/${verb}` });
  const printer = createPrinter(deps, flags.json === true);
  printer.json(key);
  printer.line(`${verb}d ${id}`);
  return 0;
}

export async function remove(id: string, flags: KeyFlags, deps: CliDeps): Promise<number> {
  const answer = await callKeys(flags, deps, { method: 'DELETE', path: `/${encodeRfc3986(id)}` });
  const printer = createPrinter(deps, flags.json === true);
  printer.json(answer);
  printer.line(`deleted ${id}`);
  return 0;
}

function timeText(epochMs: number | null): string {
  return epochMs === null ? 'never' : formatUtcSeconds(epochMs);
}
