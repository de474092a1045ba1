// Services and functions of 2016-08-15 and 2021-04-06: the same cases with the SDK of each.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { zipped } from '../kit/clients.ts';
import { at, column, textAt } from '../kit/read.ts';
import type { ServiceFc } from '../kit/service-fc.ts';
import { nodeReturning, type World } from '../kit/world.ts';

/** A Node function that answers `text`, as settings of createFunction. */
async function answering(text: string, more: object = {}) {
  const zipFile = await zipped(nodeReturning(JSON.stringify(text)));
  return { runtime: 'nodejs20', handler: 'index.handler', memorySize: 128, timeout: 10, code: { zipFile }, ...more };
}

export function serviceCases(world: World, fc: ServiceFc): void {
  const { log } = world;
  const operation = (name: string) => `FC/${fc.version}/${name}` as const;
  const serviceWith = async (functionName: string, text: string): Promise<string> => {
    const service = world.unique('svc');
    await fc.createService(service);
    await fc.createFunction(service, { functionName, ...(await answering(text)) });
    return service;
  };
  const said = async (service: string, name: string, qualifier?: string) =>
    (await fc.invoke(service, name, 'e', qualifier)).data;

  describe(`services and functions of ${fc.version}`, () => {
    log.covers(
      [operation('CreateService'), operation('GetService'), operation('UpdateService'), operation('DeleteService')],
      'a service is made with its defaults, changed, and gone',
      async () => {
        const name = world.unique('svc');
        const made = await fc.createService(name, { description: 'first' });
        assert.match(textAt(made.headers, 'x-fc-request-id'), /^.{36}$/);
        assert.equal(at(made.data, 'internetAccess'), true);
        await fails('ServiceAlreadyExists', fc.createService(name));
        await fc.updateService(name, { description: 'second', role: 'acs:ram::1:role/r' });
        const shown = (await fc.getService(name)).data;
        assert.deepEqual([at(shown, 'description'), at(shown, 'role')], ['second', 'acs:ram::1:role/r']);
        await fc.deleteService(name);
        await fails('ServiceNotFound', fc.getService(name));
        await fails('ServiceNotFound', fc.updateService(name, { description: 'third' }));
        await fails('ServiceNotFound', fc.deleteService(name));
        await fails('InvalidArgument', fc.createService('1 bad name'));
      },
    );

    log.covers([operation('ListServices')], 'services are listed by prefix, page after page', async () => {
      const prefix = world.unique('page');
      for (const letter of ['a', 'b', 'c']) await fc.createService(`${prefix}-${letter}`);
      const first = (await fc.listServices({ prefix, limit: 2 })).data;
      assert.deepEqual(column(first, 'services', 'serviceName'), [`${prefix}-a`, `${prefix}-b`]);
      const rest = (await fc.listServices({ prefix, limit: 2, nextToken: textAt(first, 'nextToken') })).data;
      assert.deepEqual(column(rest, 'services', 'serviceName'), [`${prefix}-c`]);
      assert.equal(at(rest, 'nextToken'), undefined);
      const late = (await fc.listServices({ prefix, startKey: `${prefix}-b` })).data;
      assert.deepEqual(column(late, 'services', 'serviceName'), [`${prefix}-b`, `${prefix}-c`]);
      await fails('InvalidArgument', fc.listServices({ prefix, limit: 101 }));
    });

    log.covers(
      [operation('CreateFunction'), operation('InvokeFunction'), operation('UpdateFunction'), operation('GetFunction')],
      'a function answers with its code, then with its new code',
      async () => {
        const service = await serviceWith('f', 'old');
        assert.equal(await said(service, 'f'), 'old');
        const before = textAt((await fc.getFunction(service, 'f')).data, 'codeChecksum');
        const { code } = await answering('new');
        await fc.updateFunction(service, 'f', { code, description: 'changed' });
        assert.equal(await said(service, 'f'), 'new');
        const shown = (await fc.getFunction(service, 'f')).data;
        assert.equal(at(shown, 'description'), 'changed');
        assert.notEqual(at(shown, 'codeChecksum'), before);
        await fails('FunctionNotFound', fc.invoke(service, 'other', 'e'));
        await fails('FunctionNotFound', fc.updateFunction(service, 'other', { description: 'x' }));
        await fails('ServiceNotFound', fc.invoke(`${service}x`, 'f', 'e'));
      },
    );

    log.covers(
      [operation('UpdateFunction')],
      'environment variables reach the function and are replaced as a whole',
      async () => {
        const service = world.unique('svc');
        await fc.createService(service);
        const zipFile = await zipped(nodeReturning('[process.env.ONE, process.env.TWO].join()'));
        const settings = await answering('', { code: { zipFile }, environmentVariables: { ONE: '1' } });
        await fc.createFunction(service, { functionName: 'f', ...settings });
        assert.equal(await said(service, 'f'), '1,');
        await fc.updateFunction(service, 'f', { environmentVariables: { TWO: '2' } });
        assert.equal(await said(service, 'f'), ',2');
      },
    );

    log.covers(
      [operation('InvokeFunction')],
      'the event arrives as it was sent; a failure is an answer with its type',
      async () => {
        const service = world.unique('svc');
        await fc.createService(service);
        const echo = await answering('', { code: { zipFile: await zipped(nodeReturning('event')) } });
        await fc.createFunction(service, { functionName: 'echo', ...echo });
        const event = '{"text":"天气 a*b~c","zero":"\\u0000"}';
        assert.equal((await fc.invoke(service, 'echo', event)).data, event);
        const throwing = { 'index.js': 'exports.handler = () => { throw new Error("on purpose"); };\n' };
        const failing = await answering('', { code: { zipFile: await zipped(throwing) } });
        await fc.createFunction(service, { functionName: 'failing', ...failing });
        const failed = await fc.invoke(service, 'failing', 'e');
        assert.match(String(at(failed.headers, 'x-fc-error-type')), /InvocationError$/);
        assert.match(JSON.stringify(failed.data), /on purpose/);
      },
    );

    log.covers(
      [operation('GetFunctionCode')],
      'the code that was uploaded can be downloaded without a key',
      async () => {
        const service = await serviceWith('f', 'kept');
        const { code } = await answering('kept');
        const answer = await fetch(textAt((await fc.getFunctionCode(service, 'f')).data, 'url'));
        assert.equal(Buffer.from(await answer.arrayBuffer()).toString('base64'), code.zipFile);
        await fails('FunctionNotFound', fc.getFunctionCode(service, 'other'));
      },
    );

    log.covers(
      [operation('DeleteFunction'), operation('ListFunctions')],
      'a deleted function is not listed and not invoked; a service with functions stays',
      async () => {
        const service = await serviceWith('a', 'a');
        await fc.createFunction(service, { functionName: 'b', ...(await answering('b')) });
        assert.deepEqual(column((await fc.listFunctions(service)).data, 'functions', 'functionName'), ['a', 'b']);
        await fails('ServiceNotEmpty', fc.deleteService(service));
        await fc.deleteFunction(service, 'a');
        assert.deepEqual(column((await fc.listFunctions(service)).data, 'functions', 'functionName'), ['b']);
        await fails('FunctionNotFound', fc.invoke(service, 'a', 'e'));
        await fails('FunctionNotFound', fc.deleteFunction(service, 'a'));
        await fails('ServiceNotFound', fc.listFunctions(`${service}x`));
      },
    );

    log.covers([operation('CreateFunction')], 'functions that cannot be are refused, and nothing is kept', async () => {
      const service = await serviceWith('f', 'f');
      const good = await answering('g');
      await fails('FunctionAlreadyExists', fc.createFunction(service, { functionName: 'f', ...good }));
      await fails('ServiceNotFound', fc.createFunction(`${service}x`, { functionName: 'g', ...good }));
      for (const wrong of [
        { runtime: 'cobol' },
        { handler: '' },
        { memorySize: 100 },
        { timeout: 0 },
        { functionName: '1a' },
        { code: { zipFile: 'bm8gemlw' } },
        { code: {} },
      ]) {
        await fails('InvalidArgument', fc.createFunction(service, { functionName: 'g', ...good, ...wrong }));
      }
      assert.deepEqual(column((await fc.listFunctions(service)).data, 'functions', 'functionName'), ['f']);
    });
  });

  describe(`versions, aliases and tags of ${fc.version}`, () => {
    log.covers(
      [operation(fc.names.publish), operation(fc.names.listVersions), operation(fc.names.deleteVersion)],
      'a version keeps answering with the code it was published with, until it is deleted',
      async () => {
        const service = await serviceWith('f', 'old');
        assert.equal(at((await fc.publish(service, 'first')).data, 'versionId'), '1');
        await fails('VersionPublishError', fc.publish(service, 'again'));
        await fc.updateFunction(service, 'f', { code: (await answering('new')).code });
        assert.deepEqual([await said(service, 'f', '1'), await said(service, 'f')], ['old', 'new']);
        assert.equal(at((await fc.publish(service, 'second')).data, 'versionId'), '2');
        const newest = (await fc.listVersions(service)).data;
        assert.deepEqual(column(newest, 'versions', 'versionId'), ['2', '1']);
        const oldest = (await fc.listVersions(service, { direction: 'FORWARD' })).data;
        assert.deepEqual(column(oldest, 'versions', 'description'), ['first', 'second']);
        await fc.deleteVersion(service, '1');
        await fails('VersionNotFound', fc.invoke(service, 'f', 'e', '1'));
        await fails('VersionNotFound', fc.deleteVersion(service, '1'));
        await fails('ServiceNotFound', fc.publish(`${service}x`, 'd'));
        assert.equal(await said(service, 'f', '2'), 'new');
      },
    );

    log.covers(
      [
        operation('CreateAlias'),
        operation('GetAlias'),
        operation('UpdateAlias'),
        operation('DeleteAlias'),
        operation('ListAliases'),
      ],
      'an alias leads callers to its version, then to another, then nowhere',
      async () => {
        const service = await serviceWith('f', 'old');
        await fc.publish(service, 'first');
        await fc.updateFunction(service, 'f', { code: (await answering('new')).code });
        await fc.publish(service, 'second');
        await fc.createAlias(service, 'prod', '1', { description: 'd' });
        assert.equal(await said(service, 'f', 'prod'), 'old');
        await fails('AliasAlreadyExists', fc.createAlias(service, 'prod', '2'));
        await fails('VersionNotFound', fc.createAlias(service, 'none', '9'));
        await fails('InvalidArgument', fc.createAlias(service, 'LATEST', '1'));

        await fc.updateAlias(service, 'prod', { versionId: '2' });
        assert.equal(await said(service, 'f', 'prod'), 'new');
        const shown = (await fc.getAlias(service, 'prod')).data;
        assert.deepEqual([at(shown, 'versionId'), at(shown, 'description')], ['2', 'd']);
        assert.deepEqual(column((await fc.listAliases(service)).data, 'aliases', 'aliasName'), ['prod']);

        await fc.updateAlias(service, 'prod', { versionId: '1', additionalVersionWeight: { 2: 1 } });
        assert.equal(await said(service, 'f', 'prod'), 'new');
        await fc.deleteAlias(service, 'prod');
        await fails('AliasNotFound', fc.invoke(service, 'f', 'e', 'prod'));
        await fails('AliasNotFound', fc.getAlias(service, 'prod'));
        await fails('AliasNotFound', fc.deleteAlias(service, 'prod'));
      },
    );

    log.covers(
      [operation('TagResource'), operation('GetResourceTags'), operation('UntagResource')],
      'tags are put on a service, shown, and taken off',
      async () => {
        const service = world.unique('svc');
        await fc.createService(service);
        const { region, accountId } = world.server.ready;
        const arn = `acs:fc:${region}:${accountId}:services/${service}`;
        await fc.tag(arn, { env: 'dev', team: 'a b' });
        assert.deepEqual({ ...(at((await fc.getTags(arn)).data, 'tags') as object) }, { env: 'dev', team: 'a b' });
        await fc.tag(arn, { env: 'prod' });
        await fc.untag(arn, ['team']);
        const shown = (await fc.getTags(arn)).data;
        assert.deepEqual({ ...(at(shown, 'tags') as object) }, { env: 'prod' });
        assert.equal(at(shown, 'resourceArn'), arn);
        await fails('ServiceNotFound', fc.tag(`services/${service}x`, { a: 'b' }));
        await fails('InvalidArgument', fc.tag('functions/f', { a: 'b' }));
      },
    );
  });
}
