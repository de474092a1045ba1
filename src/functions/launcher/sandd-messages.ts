// The words that sandd is spoken to in, as bytes (native/README.md, "Words"). Used by sandd-client.ts and sandd-process.ts.
import { constants } from 'node:os';
import { resolve } from 'node:path';
import {
  type Assignment,
  type ExecSpec,
  type Exit,
  type IsolationTier,
  type LaunchSpec,
  type NetworkMode,
  type Started,
  startLine,
} from './port.ts';

const words = {
  authenticate: 1,
  start: 2,
  stop: 3,
  freeze: 4,
  thaw: 5,
  spare: 6,
  assign: 7,
  background: 9,
  foreground: 10,
  exec: 11,
  attach: 12,
  configure: 16,
  allow: 17,
  done: 64,
  failed: 65,
  exited: 66,
  wanted: 67,
  dropped: 68,
};
const tiers = { none: 0, user: 1, strong: 2, restricted: 3 } as const satisfies Record<IsolationTier, number>;
const networks = { host: 0, none: 1, open: 2 } as const satisfies Record<NetworkMode, number>;
const relays = { in: 1, out: 2 } as const;
const headBytes = 9;
/** Largest message of either side, and the longest text in one. */
const messageLimitBytes = 256 * 1024;
const textLimitBytes = 65_534;
const idBytes = 31;

export type SanddAnswer =
  | { readonly kind: 'done'; readonly call: number; readonly fields: Buffer }
  | { readonly kind: 'failed'; readonly call: number; readonly why: string }
  | { readonly kind: 'exited'; readonly exit: Exit }
  /** Its starter is to start a process that keeps pasta. */
  | { readonly kind: 'wanted' }
  /** What instances send does not get beyond this machine. */
  | { readonly kind: 'dropped' };

/**
 * Shape: u32 length of what follows, u8 word, u32 call, fields; big endian. A text is u16 length with its closing zero
 * byte, then the bytes.
 *
 * Errors: throws when a text holds a zero byte or is too long, or the message is.
 */
function encode(word: number, call: number, fields: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(headBytes);
  const message = Buffer.concat([head, ...fields]);
  if (message.length > messageLimitBytes) throw new Error(`a message to the launcher of ${message.length} bytes`);
  message.writeUInt32BE(message.length - 4, 0);
  message.writeUInt8(word, 4);
  message.writeUInt32BE(call, 5);
  return message;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(`${value}\0`);
  if (value.includes('\0')) throw new Error('a text for the launcher holds a zero byte');
  if (bytes.length > textLimitBytes) throw new Error(`a text for the launcher of ${bytes.length} bytes`);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function number(value: number, bytes: 1 | 2 | 4): Buffer {
  const field = Buffer.alloc(bytes);
  field.writeUIntBE(Math.min(Math.trunc(value), 2 ** (8 * bytes) - 1), 0, bytes);
  return field;
}

/** In thousandths; 0: no limit. */
function processors(cpu = 0): Buffer {
  return number(Math.round(cpu * 1000), 4);
}

function list(values: readonly string[]): Buffer[] {
  return [number(values.length, 2), ...values.map(text)];
}

function program({ argv, environment }: Pick<LaunchSpec, 'argv' | 'environment'>): Buffer[] {
  return [...list(argv), ...list(Object.entries(environment).map(([name, value]) => `${name}=${value}`))];
}

const nothingToRun = { argv: [], environment: {} };

/** Uid and gid of the data process where sandd runs as root and that one does not. */
export type SanddOwner = { readonly uid: number; readonly gid: number };
const sameUser: SanddOwner = { uid: 0xffff_ffff, gid: 0xffff_ffff };

/** An IPv4 address or a block of them. */
export type Ipv4Block = { readonly address: string; readonly bits: number };

/** Which addresses instances in networks of their own may reach: who is in both lists is allowed; who is in neither, too. */
export type NetworkPolicy = { readonly allowed: readonly Ipv4Block[]; readonly refused: readonly Ipv4Block[] };

export type SanddConfiguration = {
  readonly runDir: string;
  readonly token: string;
  readonly tier: IsolationTier;
  /** null: the launcher's own. */
  readonly owner: SanddOwner | null;
  /** Missing or null: no networks are made. `none`: they lead to the doorway and nowhere else. */
  readonly policy?: NetworkPolicy | 'none' | null;
};

export function encodeConfigure({ runDir, token, tier, owner, policy = null }: SanddConfiguration): Buffer {
  const { uid, gid } = owner ?? sameUser;
  const isLedOut = policy !== null && policy !== 'none';
  return encode(words.configure, 0, [
    text(runDir),
    text(token),
    number(tiers[tier], 1),
    number(uid, 4),
    number(gid, 4),
    number(networks[policy === null ? 'host' : policy === 'none' ? 'none' : 'open'], 1),
    ...blocks(isLedOut ? policy.allowed : []),
    ...blocks(isLedOut ? policy.refused : []),
  ]);
}

function blocks(list: readonly Ipv4Block[]): Buffer[] {
  return [
    number(list.length, 2),
    ...list.map(({ address, bits }) => Buffer.from([...address.split('.').map(Number), bits])),
  ];
}

export type Configured = {
  /** The group that instances are in besides, where each has a user of its own; null: they have none. */
  readonly sharedGroup: number | null;
  /** Null: networks were made; else why instances are in the host's. */
  readonly noNetwork: string | null;
  /** What carries instances' packets out: `kernel`, `pasta`; null where nothing does. */
  readonly carrier: string | null;
};

/** Shape: u32 group (0: none), u8 1 = networks were made, u16 length and bytes of what carries (none: nothing), or of why not. */
export function parseConfigured(fields: Buffer): Configured {
  const isMade = fields.readUInt8(4) === 1;
  const text = fields.toString('utf8', 7);
  const sharedGroup = fields.readUInt32BE(0) || null;
  return { sharedGroup, noNetwork: isMade ? null : text, carrier: isMade && text !== '' ? text : null };
}

/** Shape: u8 tier, u8 1 = instances can be put in the background. */
export function parseAuthenticated(fields: Buffer): { readonly hasClasses: boolean } {
  return { hasClasses: fields.readUInt8(1) === 1 };
}

/** Shape: u32 pid, u32 address (0 in the host's network). */
export function parseStarted(fields: Buffer): Started {
  const isOwn = fields.readUInt32BE(4) !== 0;
  return { pid: fields.readUInt32BE(0), address: isOwn ? [...fields.subarray(4, 8)].join('.') : null };
}

export function encodeAllow(call: number, directory: string): Buffer {
  return encode(words.allow, call, [text(resolve(directory))]);
}

export function encodeAuthenticate(call: number, token: string): Buffer {
  return encode(words.authenticate, call, [text(token)]);
}

export function encodeStart(call: number, spec: LaunchSpec): Buffer {
  return encodeSpec(words.start, call, spec, startLine(spec));
}

export function encodeSpare(call: number, spec: LaunchSpec): Buffer {
  return encodeSpec(words.spare, call, spec, '');
}

export function encodeAssign(call: number, assignment: Assignment): Buffer {
  return encode(words.assign, call, [
    text(assignment.instanceId),
    number(assignment.memoryMb, 4),
    processors(assignment.cpu),
    text(resolve(assignment.codeDirectory)),
    text(assignment.startLine),
    ...program(assignment.program ?? nothingToRun),
  ]);
}

export function encodeExec(call: number, spec: ExecSpec): Buffer {
  const { environment, terminal } = spec;
  return encode(words.exec, call, [
    text(spec.instanceId),
    number(spec.session, 4),
    text(spec.directory),
    number(terminal === null ? 0 : 1, 1),
    number(terminal?.rows ?? 0, 2),
    number(terminal?.columns ?? 0, 2),
    ...list(spec.command),
    ...list(Object.entries(environment).map(([name, value]) => `${name}=${value}`)),
  ]);
}

/** On a connection of its own, whose other end the session's process gets. */
export function encodeAttach(session: number, token: string): Buffer {
  return encode(words.attach, session, [text(token), number(session, 4)]);
}

/** Length of the answer to it, bytes. */
export const attachedBytes = headBytes;

/** Errors: throws when it is not the answer. */
export function parseAttached(answer: Buffer): void {
  if (answer.length !== attachedBytes || answer.readUInt8(4) !== words.done)
    throw new Error('the launcher broke the protocol');
}

function encodeSpec(word: number, call: number, spec: LaunchSpec, line: string): Buffer {
  const { environment, readOnly, volumes = [] } = spec;
  return encode(word, call, [
    text(spec.instanceId),
    number(spec.memoryMb, 4),
    processors(spec.cpu),
    number(networks[spec.network ?? 'host'], 1),
    text(resolve(spec.codeDirectory)),
    text(line),
    ...program({ argv: spec.argv, environment }),
    number(readOnly.length + volumes.length, 2),
    ...readOnly.flatMap(({ from, to }) => [text(resolve(from)), text(resolve(to))]),
    ...volumes.flatMap((to) => [text(''), text(resolve(to))]),
    number(spec.relay === undefined ? 0 : relays[spec.relay.kind], 1),
    number(spec.relay?.port ?? 0, 2),
    number(spec.isImage === true ? 1 : 0, 1),
    number(spec.isBackground === true ? 1 : 0, 1),
  ]);
}

export function encodeStop(call: number, instanceId: string, graceMs: number): Buffer {
  return encode(words.stop, call, [text(instanceId), number(graceMs, 4)]);
}

export function encodeBackground(call: number, instanceId: string, isBackground: boolean): Buffer {
  return encode(isBackground ? words.background : words.foreground, call, [text(instanceId)]);
}

export function encodeFreeze(call: number, instanceId: string, isFrozen: boolean): Buffer {
  return encode(isFrozen ? words.freeze : words.thaw, call, [text(instanceId)]);
}

/** Takes sandd's answers apart as they come in pieces. Holds at most one unfinished message. */
export class SanddDecoder {
  #rest: Buffer = Buffer.alloc(0);

  /** Errors: throws on what is no answer; the connection is of no use then. */
  push(chunk: Buffer): readonly SanddAnswer[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const answers: SanddAnswer[] = [];
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0) + 4;
      if (length < headBytes || length > messageLimitBytes) throw new Error('the launcher broke the protocol');
      if (rest.length < length) break;
      answers.push(parseAnswer(rest.subarray(0, length)));
      rest = rest.subarray(length);
    }
    this.#rest = rest;
    return answers;
  }
}

function parseAnswer(message: Buffer): SanddAnswer {
  const call = message.readUInt32BE(5);
  const fields = message.subarray(headBytes);
  switch (message.readUInt8(4)) {
    case words.done:
      return { kind: 'done', call, fields };
    case words.failed:
      if (fields.length < 2 || fields.length !== fields.readUInt16BE(0) + 2) break;
      return { kind: 'failed', call, why: fields.toString('utf8', 2) };
    case words.wanted:
      return { kind: 'wanted' };
    case words.dropped:
      return { kind: 'dropped' };
    case words.exited:
      if (fields.length !== idBytes + 8) break;
      return { kind: 'exited', exit: parseExited(fields) };
  }
  throw new Error('the launcher broke the protocol');
}

/** Shape: id with its closing zero byte, u8 1 = by a signal, u8 code or signal, u8 1 = out of memory, u32 peak KB. */
function parseExited(fields: Buffer): Exit {
  const [isSignal, value] = [fields.readUInt8(idBytes + 1) === 1, fields.readUInt8(idBytes + 2)];
  return {
    instanceId: fields.toString('latin1', 0, idBytes),
    code: isSignal ? null : value,
    signal: isSignal ? signalName(value) : null,
    isOutOfMemory: fields.readUInt8(idBytes + 3) === 1,
    peakMemoryKb: fields.readUInt32BE(idBytes + 4),
  };
}

function signalName(value: number): string {
  return Object.entries(constants.signals).find(([, each]) => each === value)?.[0] ?? `signal ${value}`;
}
