// A line that a function printed as a line of the log of output: JSON, and back. Written in the data process, read by control.
import { quoted } from '../base/quick-json.ts';
import type { OutputLine } from '../model/output.ts';
import { readMembers } from './request-log-line.ts';

const lineStart = '{"requestId":"';

/**
 * One line, with its line end.
 *
 * Shape: `{"requestId":"…","at":1732250000123,"functionName":"shop/web","instanceId":"c-…","text":"…"}`; the id is empty where there is
 * no request. Units: time in epoch ms.
 */
export function writeOutputLine({ requestId, at, functionName, instanceId, text }: OutputLine): string {
  const id = quoted(requestId ?? '');
  return `{"requestId":${id},"at":${at},${functionMember(functionName)},"instanceId":${quoted(instanceId)},"text":${quoted(text)}}\n`;
}

/** As it stands in each line of the function, and in no other: quotes inside texts are escaped. */
export function functionMember(functionName: string): string {
  return `"functionName":${quoted(functionName)}`;
}

/** Null for a line that is none (the last one before a crash may be cut). */
export function readOutputLine(line: string): OutputLine | null {
  const members = readMembers(line);
  if (members === null) return null;
  const { requestId, at, functionName, instanceId, text } = members;
  if (typeof requestId !== 'string' || typeof at !== 'number' || typeof functionName !== 'string') return null;
  if (typeof instanceId !== 'string' || typeof text !== 'string') return null;
  return { requestId: requestId === '' ? null : requestId, at, functionName, instanceId, text };
}

/** What an index holds of it, found without reading the whole line; null for a line that is not whole. */
export function readIndexedOutput(line: string): { readonly requestId: string; readonly at: number } | null {
  if (!line.startsWith(lineStart) || !line.endsWith('"}')) return null;
  const end = line.indexOf('"', lineStart.length);
  const at = Number.parseInt(line.slice(end + '","at":'.length, end + '","at":'.length + 16), 10);
  return Number.isNaN(at) ? null : { requestId: line.slice(lineStart.length, end), at };
}
