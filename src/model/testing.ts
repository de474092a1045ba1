// What tests of several rooms share of the model.
import type { RequestRecord } from './record.ts';

/** A whole record of a good request to no API, with the parts given. */
export function requestRecord(parts: Partial<RequestRecord> = {}): RequestRecord {
  return {
    requestId: '1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF',
    at: 1,
    status: 200,
    method: 'GET',
    host: 'gateway.localhost',
    path: '/a',
    clientIp: '127.0.0.1',
    isTls: false,
    groupId: null,
    apiId: null,
    apiName: null,
    functionName: null,
    qualifier: null,
    stage: null,
    appId: null,
    appName: null,
    appKey: null,
    nonce: null,
    initialRequestId: null,
    traceId: null,
    customTraceId: null,
    requestBytes: 0,
    responseBytes: 0,
    totalMs: 1,
    backendAt: null,
    backendMs: null,
    coldStart: null,
    logged: null,
    failure: null,
    ...parts,
  };
}
