// Large bodies: read in a thread, with the same result as small ones.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { Bodies } from '../../src/control/fc/bodies.ts';
import { workOnBody } from '../../src/control/fc/body-work.ts';
import type { PublishedFunction } from '../../src/model/published.ts';
import { fc2Sdk, fcOpenSdk, modelsOf, type Plane, rawCall, startPlane, success, zipped } from './control-fixture.ts';

describe('large bodies', () => {
  const bodies = new Bodies(systemClock);
  let plane: Plane;
  before(async () => {
    plane = await startPlane();
  });
  after(async () => {
    await bodies.close();
    await plane.close();
  });

  const zip = randomBytes(600_000);
  const json = Buffer.from(JSON.stringify({ handler: 'h', Code: { zipFile: zip.toString('base64') } }));

  it('give what small ones give: JSON, zip and hash', async () => {
    for (const wants of [
      { isJson: true, wantsHash: true },
      { isJson: true, wantsHash: false },
      { isJson: false, wantsHash: true },
      { isJson: false, wantsHash: false },
    ]) {
      const expected = workOnBody({ bytes: Buffer.from(json), ...wants });
      assert.deepEqual(toPlain(await bodies.read(Buffer.from(json), wants)), toPlain(expected));
    }
    const malformed = await bodies.read(Buffer.alloc(300_000, '{'), { isJson: true, wantsHash: false });
    assert.equal(malformed.body.kind, 'malformed');
  });

  it('that come all at once are refused beyond a bound, and the others are read', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 40 }, () => bodies.read(Buffer.from(json), { isJson: true, wantsHash: false })),
    );
    const refused = all.filter((result) => result.status === 'rejected');
    assert.ok(refused.length > 0 && refused.length < 40, String(refused.length));
    for (const { reason } of refused) assert.equal(reason.code, 'ResourceThrottled');
  });

  it('reach functions whole, as code and as event', async () => {
    const code = await zipped({ 'index.py': '', 'data.bin': randomBytes(400_000).toString('hex') });
    const sha256 = createHash('sha256').update(Buffer.from(code, 'base64')).digest('hex');
    const call = async (sdk: ReturnType<typeof fc2Sdk>, name: string, ...args: unknown[]) =>
      await sdk[name]?.apply(sdk, args);
    await call(fc2Sdk(plane), 'createService', 'large');
    const input = { handler: 'index.h', runtime: 'python3', code: { zipFile: code } };
    await call(fc2Sdk(plane), 'createFunction', 'large', { functionName: 'f', ...input });
    const models = modelsOf('@alicloud/fc-open20210406');
    const { UpdateFunctionRequest: Request, Code } = models;
    assert.ok(Request !== undefined && Code !== undefined);
    // Signed with the hash of the body.
    await call(fcOpenSdk(plane), 'updateFunction', 'large', 'f', new Request({ code: new Code(input.code) }));
    const published = (await plane.published()).get('function large/f') as PublishedFunction | undefined;
    assert.equal(published?.code.sha256, sha256);
    plane.outcome = success;
    const event = randomBytes(3_000_000);
    await call(fc2Sdk(plane), 'invokeFunction', 'large', 'f', event);
    assert.ok(plane.invoked.at(-1)?.event.equals(event));
    const refused = call(fc2Sdk(plane), 'invokeFunction', 'large', 'f', Buffer.alloc(32 * 1024 * 1024 + 1));
    await assert.rejects(refused, /payload size exceeds maximum allowed size \(33554432 bytes\)/);
    const unsigned = await rawCall(plane, 'PUT', '/2016-08-15/services/large/functions/f', {
      body: 'x'.repeat(400_000),
    });
    assert.equal(unsigned.status, 400);
    assert.deepEqual(plane.logged, []);
  });
});

/** Bytes as text, so that a Buffer and the Uint8Array of another thread compare. */
function toPlain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, member) =>
      member instanceof Uint8Array || (typeof member === 'object' && member?.type === 'Buffer')
        ? Buffer.from(member).toString('hex')
        : member,
    ),
  );
}
