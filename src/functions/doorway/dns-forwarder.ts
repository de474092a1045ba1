// Answers the name queries of instances: names that are the doorway's own here, all others by the host's resolvers. Made by
// doorway.ts, which has the sockets.
import { createSocket, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect, isIP } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { addressType, isAnswerTo, type Question, readQuestion, responseCodes, writeAnswer } from './dns-message.ts';
import type { Visitor } from './visitor.ts';

export const dnsLimits = {
  /** Queries of one instance that wait for a resolver; more are not answered, as if the network had lost them. */
  perVisitor: 64,
  /** Of all instances. */
  inAll: 512,
  /** How long one resolver is waited for; the next is asked then. */
  resolverMs: 2_500,
  resolvers: 3,
  /** Largest message over TCP that is passed on. */
  streamBytes: 65_535,
} as const;

/** How long our own answers may be kept. */
const ownTtlSeconds = 60;
const resolverPort = 53;

export type Transport = 'datagram' | 'stream';

export type DnsOptions = {
  readonly clock: Clock;
  /** The doorway's address as instances see it. */
  readonly address: string;
  /** Names that lead a visitor to the doorway. */
  isOwnName(name: string, visitor: Visitor): boolean;
  /** `address` or `address#port`; default: those of /etc/resolv.conf, read anew each time. */
  resolvers?(): readonly string[];
};

export class DnsForwarder {
  readonly #options: DnsOptions;
  readonly #waiting = new Map<string, number>();
  #inAll = 0;

  constructor(options: DnsOptions) {
    this.#options = options;
  }

  /** The answer; null when there is none (it was no query, or there are too many). Never rejects. */
  async answer(query: Buffer, visitor: Visitor, transport: Transport): Promise<Buffer | null> {
    const question = readQuestion(query);
    if (question === null) return null;
    if (this.#options.isOwnName(question.name, visitor)) {
      const addresses = question.type === addressType ? [this.#options.address] : [];
      return writeAnswer(query, question, { code: responseCodes.none, addresses, ttlSeconds: ownTtlSeconds });
    }
    // Names carry data out as well as any connection does.
    if (visitor.network === 'none') return refusal(query, question, responseCodes.refused);
    const waiting = this.#waiting.get(visitor.instanceId) ?? 0;
    if (waiting >= dnsLimits.perVisitor || this.#inAll >= dnsLimits.inAll) return null;
    this.#waiting.set(visitor.instanceId, waiting + 1);
    this.#inAll += 1;
    try {
      return (await this.#ask(query, question, transport)) ?? refusal(query, question, responseCodes.failed);
    } finally {
      const left = (this.#waiting.get(visitor.instanceId) ?? 1) - 1;
      if (left === 0) this.#waiting.delete(visitor.instanceId);
      else this.#waiting.set(visitor.instanceId, left);
      this.#inAll -= 1;
    }
  }

  async #ask(query: Buffer, question: Question, transport: Transport): Promise<Buffer | null> {
    const resolvers = (this.#options.resolvers ?? hostResolvers)().slice(0, dnsLimits.resolvers);
    for (const resolver of resolvers) {
      const place = parseResolver(resolver);
      if (place === null) continue;
      const ask = transport === 'datagram' ? askByDatagram : askByStream;
      const answer = await ask(this.#options.clock, place, query, question);
      if (answer !== null) return answer;
    }
    return null;
  }
}

function refusal(query: Buffer, question: Question, code: 2 | 5): Buffer {
  return writeAnswer(query, question, { code, addresses: [], ttlSeconds: 0 });
}

/** The host's, as they are now. Source: docs (resolv.conf(5): 127.0.0.1 when none is named). */
export function hostResolvers(path = '/etc/resolv.conf'): readonly string[] {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // without the file the resolver of this machine is asked, as the C library does
  }
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].map(([, address = '']) => address);
  return named.length > 0 ? named : ['127.0.0.1'];
}

type Place = { readonly address: string; readonly port: number };

function parseResolver(text: string): Place | null {
  const [address = '', port] = text.split('#');
  if (isIP(address.split('%')[0] ?? '') === 0) return null;
  return { address, port: port === undefined ? resolverPort : Number(port) };
}

/** One socket a query: its port is the resolver's proof, besides the id, that the answer is to this one. */
function askByDatagram(clock: Clock, place: Place, query: Buffer, question: Question): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket: Socket = createSocket(isIP(place.address.split('%')[0] ?? '') === 6 ? 'udp6' : 'udp4');
    let isDone = false;
    const done = (answer: Buffer | null) => {
      if (isDone) return;
      isDone = true;
      cancel();
      socket.close();
      resolve(answer);
    };
    const cancel = clock.after(dnsLimits.resolverMs, () => done(null));
    socket.on('error', () => done(null));
    socket.on('message', (message) => {
      if (isAnswerTo(message, query, question)) done(message);
    });
    socket.connect(place.port, place.address, () => socket.send(query));
  });
}

function askByStream(clock: Clock, place: Place, query: Buffer, question: Question): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const socket = connect({ host: place.address, port: place.port });
    let got = Buffer.alloc(0);
    const done = (answer: Buffer | null) => {
      cancel();
      socket.destroy();
      resolve(answer);
    };
    const cancel = clock.after(dnsLimits.resolverMs, () => done(null));
    socket.once('error', () => done(null));
    socket.once('close', () => done(null));
    socket.on('data', (chunk: Buffer) => {
      got = Buffer.concat([got, chunk]);
      const message = takeStreamed(got);
      if (message !== null) done(isAnswerTo(message.message, query, question) ? message.message : null);
    });
    socket.write(asStreamed(query));
  });
}

/** Over TCP each message follows its length. */
export function asStreamed(message: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(message.length);
  return Buffer.concat([length, message]);
}

/** The first whole message and what follows; null when more is needed. */
export function takeStreamed(bytes: Buffer): { readonly message: Buffer; readonly rest: Buffer } | null {
  if (bytes.length < 2) return null;
  const end = 2 + bytes.readUInt16BE(0);
  return bytes.length < end ? null : { message: bytes.subarray(2, end), rest: bytes.subarray(end) };
}
