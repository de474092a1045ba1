// What the gateway's own steps cost: signed requests as values through the pipeline, with a function that answers at once.
// No sockets and no instances, so that a change of a step shows. Run by itself: `node benches/pipeline.ts [--rounds 5]`.
import { createHmac, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';
import { systemClock } from '../src/base/clock.ts';
import { createNonceStore } from '../src/base/nonce-store.ts';
import { createWindowCounters } from '../src/base/window-counters.ts';
import type { GatewayRequest } from '../src/gateway/context.ts';
import { createGateway, defaultGatewaySettings } from '../src/gateway/index.ts';
import { bodyOf } from '../src/gateway/request-body.ts';
import { api, app, definition, grant, group, groupId, parameter, theApp } from '../src/gateway/testing.ts';
import { createRequestLogSender } from '../src/request-log-sender.ts';
import { RequestMetrics } from '../src/request-metrics.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const perRound = 40_000;
const formType = 'application/x-www-form-urlencoded; charset=UTF-8';
const host = `${groupId}.localhost`;
const path = '/echo/python';
const result = Buffer.from('{"isBase64Encoded": false, "statusCode": 200, "headers": {}, "body": "{\\"n\\":\\"1\\"}"}');

/** The signed form post of the benches of calls, as node:http hands it over. */
function signedRequest(n: number): GatewayRequest {
  const body = `n=${n}`;
  const signed = [
    ['X-Ca-Key', app.key],
    ['X-Ca-Nonce', randomUUID()],
    ['X-Ca-Stage', 'RELEASE'],
    ['X-Ca-Timestamp', String(Date.now())],
  ] as const;
  const lines = signed.map(([name, value]) => `${name}:${value}`).join('\n');
  const stringToSign = `POST\napplication/json\n\n${formType}\n\n${lines}\n${path}?${body}`;
  const signature = createHmac('sha256', app.secret).update(stringToSign).digest('base64');
  const rawHeaders = ['Host', host, 'Accept', 'application/json', 'Content-Type', formType, 'Content-Length'];
  rawHeaders.push(String(body.length), ...signed.flat());
  rawHeaders.push('X-Ca-Signature-Headers', 'X-Ca-Key,X-Ca-Nonce,X-Ca-Stage,X-Ca-Timestamp');
  rawHeaders.push('X-Ca-Signature', signature);
  return {
    method: 'POST',
    target: path,
    rawHeaders,
    peerAddress: '127.0.0.1',
    isTls: false,
    body: bodyOf(Buffer.from(body)),
    holdAnswer: () => true,
    onGone: () => () => {},
  };
}

const metrics = RequestMetrics.ofApis();
const log = createRequestLogSender({
  clock: systemClock,
  fullRate: 2_000,
  batchMs: 100,
  waitingBytes: 4 * 1024 * 1024,
  send: () => Promise.resolve(),
  onSampling: () => {},
});
const gateway = createGateway({
  clock: systemClock,
  invoke: (request) => {
    const isUnusable = request.isUnusable?.(result) ?? false;
    if (isUnusable) throw new Error('the result is usable');
    return Promise.resolve({
      kind: 'success',
      body: result,
      instanceId: 'c-1',
      durationMs: 0,
      maxMemoryMb: 1,
      codeChecksum: '',
      versionId: 'LATEST',
      logTail: null,
      coldStart: null,
      runtimeNote: null,
    });
  },
  claimNonce: createNonceStore({ clock: systemClock, limit: 8_000_000 }).claim,
  count: createWindowCounters(1_000).count,
  report(record) {
    metrics.add(record);
    log.add(record);
  },
  reportBug: (error) => console.error(error),
  settings: defaultGatewaySettings,
});

const echo = definition({
  auth: { type: 'APP' },
  request: { method: 'POST', path, bodyFormat: 'FORM' },
  rest: {
    parameters: [parameter({ name: 'n', location: 'BODY', required: true })],
    serviceParameters: [{ name: 'n', location: 'QUERY', type: 'STRING', catalog: 'REQUEST' }],
    mappings: [{ requestName: 'n', serviceName: 'n' }],
  },
});
await gateway.apply({ version: 1, changes: [group(), api('echo', echo), theApp, grant('echo')] });

/** Bytes of the JavaScript heap that were ever allocated; not in every Node. */
function allocatedBytes(): number {
  const statistics: object = getHeapStatistics();
  return Number(Reflect.get(statistics, 'total_allocated_bytes') ?? 0);
}

async function answer(request: GatewayRequest): Promise<void> {
  const { reply, record } = await gateway.run(request);
  if (reply?.status !== 200 || reply.body !== '{"n":"1"}') throw new Error(JSON.stringify(record));
  metrics.add(record);
  log.add(record);
}

for (let round = 1; round <= Number(values.rounds); round++) {
  const requests = Array.from({ length: perRound }, (_, n) => signedRequest(n));
  const before = process.cpuUsage();
  const allocatedBefore = allocatedBytes();
  // 64 at a time, as connections would.
  for (let at = 0; at < requests.length; at += 64) await Promise.all(requests.slice(at, at + 64).map(answer));
  const { user, system } = process.cpuUsage(before);
  const allocated = (allocatedBytes() - allocatedBefore) / perRound;
  console.log(
    `round ${round}: ${((user + system) / perRound).toFixed(2)} µs of CPU and ${allocated.toFixed(0)} bytes a request`,
  );
}
gateway.close();
