// The temporary bucket: code that is put there by the object store's own client and named by createFunction.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { putObject, zipped } from '../kit/clients.ts';
import { at, textAt } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

export function uploadCases(world: World): void {
  const { fc2, log } = world;
  const { ready } = world.server;
  const settings = { runtime: 'nodejs20', handler: 'index.handler', memorySize: 128, timeout: 10 };
  const contentOf = async (text: string) => Buffer.from(await zipped(nodeReturning(JSON.stringify(text))), 'base64');
  const said = async (service: string, name: string) => at(await fc2('invokeFunction', service, name, 'e'), 'data');

  describe('the temporary bucket', () => {
    log.covers(['FC/2016-08-15/GetTempBucketToken'], "an uploaded package becomes a function's code", async () => {
      const service = world.unique('svc');
      await fc2('createService', service);
      const token = at(await fc2('getTempBucketToken'), 'data');
      const objectName = `${ready.accountId}/${textAt(token, 'objectName')}`;
      await putObject(ready, { token, objectName, content: await contentOf('uploaded') });
      const code = { ossBucketName: textAt(token, 'ossBucket'), ossObjectName: objectName };
      await fc2('createFunction', service, { functionName: 'f', ...settings, code });
      assert.equal(await said(service, 'f'), 'uploaded');
      const elsewhere = { ...code, ossObjectName: `${ready.accountId}/nothing` };
      await fails(
        'InvalidArgument',
        fc2('createFunction', service, { functionName: 'g', ...settings, code: elsewhere }),
      );
      const other = { token, objectName: `${ready.accountId}/other`, content: Buffer.from('x') };
      await fails(/^(AccessDenied|SignatureDoesNotMatch)$/, putObject(ready, other));
    });

    log.covers(
      ['FC/2016-08-15/GetTempCodeBucketPermission'],
      "the token of a service takes its function's new code",
      async () => {
        const [service, name] = await world.newFunction(nodeReturning('"old"'));
        assert.equal(await said(service, name), 'old');
        const token = at(await fc2('getTempCodeBucketPermission', service, name, 'e1'), 'data');
        assert.ok(Number(at(token, 'codeSizeLimit')) > 0);
        const objectName = `${ready.accountId}/${service}/${textAt(token, 'objectName')}`;
        await putObject(ready, { token, objectName, content: await contentOf('new') });
        const code = { ossBucketName: textAt(token, 'ossBucket'), ossObjectName: objectName };
        await fc2('updateFunction', service, name, { code });
        assert.equal(await said(service, name), 'new');
        await fails('ServiceNotFound', fc2('getTempCodeBucketPermission', `${service}x`, name, 'e1'));
      },
    );
  });
}
