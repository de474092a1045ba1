// The little of DNS that the doorway must read and write itself: the question of a query, and answers without an upstream.
// Pure. Source: docs (RFC 1035).

export type Question = {
  /** Lower case, without the closing dot. */
  readonly name: string;
  readonly type: number;
  /** Bytes from the beginning of the message to behind the question. */
  readonly end: number;
};

export const addressType = 1;
const headBytes = 12;
const internetClass = 1;
const maxLabels = 127;
const isResponseBit = 0x8000;
const opcodeBits = 0x7800;
const wantsRecursionBit = 0x0100;
const canRecurseBit = 0x0080;

export const responseCodes = { none: 0, failed: 2, refused: 5 } as const;
type ResponseCode = (typeof responseCodes)[keyof typeof responseCodes];

/** Null when it is no plain query with one question of the internet's class. */
export function readQuestion(message: Buffer): Question | null {
  if (message.length < headBytes + 5) return null;
  const flags = message.readUInt16BE(2);
  if ((flags & (isResponseBit | opcodeBits)) !== 0 || message.readUInt16BE(4) !== 1) return null;
  const labels: string[] = [];
  let at = headBytes;
  while (labels.length <= maxLabels) {
    const length = message[at];
    if (length === undefined || length > 63) return null; // nothing is compressed in a question
    at += 1;
    if (length === 0) break;
    if (at + length > message.length) return null;
    labels.push(message.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > message.length || message.readUInt16BE(at + 2) !== internetClass) return null;
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at), end: at + 4 };
}

/** An answer to `query` that is ours: addresses (IPv4), or none and why. */
export function writeAnswer(
  query: Buffer,
  { end }: Question,
  answer: { readonly code: ResponseCode; readonly addresses: readonly string[]; readonly ttlSeconds: number },
): Buffer {
  const head = Buffer.from(query.subarray(0, end));
  head.writeUInt16BE(isResponseBit | canRecurseBit | (query.readUInt16BE(2) & wantsRecursionBit) | answer.code, 2);
  head.writeUInt16BE(answer.addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = answer.addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc000 | headBytes, 0); // the name is that of the question
    record.writeUInt16BE(addressType, 2);
    record.writeUInt16BE(internetClass, 4);
    record.writeUInt32BE(answer.ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    record.set(address.split('.').map(Number), 12);
    return record;
  });
  return Buffer.concat([head, ...records]);
}

/** Whether `answer` may be one to `query`: the same id, and the same question. */
export function isAnswerTo(answer: Buffer, query: Buffer, { end }: Question): boolean {
  if (answer.length < headBytes || answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  if ((answer.readUInt16BE(2) & isResponseBit) === 0) return false;
  const isEmpty = answer.readUInt16BE(4) === 0; // some servers leave the question out of a refusal
  return (
    isEmpty ||
    answer.toString('latin1', headBytes, end).toLowerCase() === query.toString('latin1', headBytes, end).toLowerCase()
  );
}
