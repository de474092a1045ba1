// The rest of the versions with services: ETags, tag filters, what the account has, and operations that only one version has.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { model } from '../kit/clients.ts';
import { at, column, items, textAt } from '../kit/read.ts';
import type { World } from '../kit/world.ts';

export function accountCases(world: World): void {
  const { fc2, fcOpen, log } = world;
  const { region, accountId } = world.server.ready;

  describe('only in 2016-08-15', () => {
    log.covers(
      ['FC/2016-08-15/UpdateService', 'FC/2016-08-15/DeleteService'],
      'If-Match guards a change and a deletion',
      async () => {
        const name = world.unique('svc');
        const first = textAt(await fc2('createService', name), 'headers.etag');
        const changed = await fc2('updateService', name, { description: 'one' }, { 'if-match': first });
        await fails('PreconditionFailed', fc2('updateService', name, { description: 'two' }, { 'if-match': first }));
        await fails('PreconditionFailed', fc2('deleteService', name, { 'if-match': first }));
        assert.equal(at(await fc2('getService', name), 'data.description'), 'one');
        await fc2('deleteService', name, { 'if-match': textAt(changed, 'headers.etag') });
        await fails('ServiceNotFound', fc2('getService', name));
      },
    );

    log.covers(['FC/2016-08-15/ListServices', 'FC/2016-08-15/TagResource'], 'listings filter by tags', async () => {
      const [one, two] = [world.unique('tagged'), world.unique('tagged')];
      for (const name of [one, two]) await fc2('createService', name);
      await fc2('tagResource', `services/${one}`, { team: one, env: 'dev' });
      await fc2('tagResource', `services/${two}`, { team: two, env: 'dev' });
      const found = await fc2('listServices', { tags: { team: two, env: '' } });
      assert.deepEqual(column(found, 'data.services', 'serviceName'), [two]);
    });

    log.covers(['FC/2016-08-15/GetAccountConfigs'], 'the limit of code packages is told as a text', async () => {
      const answer = await fc2('getAccountConfigs', { config: 'CodeSizeLimit' });
      assert.match(textAt(answer, 'data.CodeSizeLimit'), /^\d+$/);
    });

    log.covers(
      ['FC/2016-08-15/GetAccountSettings', 'FC/2016-08-15/ListReservedCapacities'],
      'the account has a zone and nothing reserved',
      async () => {
        assert.ok(items(await fc2('getAccountSettings'), 'data.availableAZs').length > 0);
        assert.deepEqual(items(await fc2('listReservedCapacities'), 'data.reservedCapacities'), []);
      },
    );
  });

  describe('only in 2021-04-06', () => {
    log.covers(['FC/2021-04-06/ListTaggedResources'], 'every tagged service is listed with its tags', async () => {
      const name = world.unique('tagged');
      await fc2('createService', name);
      await fc2('createService', world.unique('plain'));
      const arn = `acs:fc:${region}:${accountId}:services/${name}`;
      await fcOpen('tagResource', model('open', 'TagResourceRequest', { resourceArn: arn, tags: { a: 'b' } }));
      const listed = await fcOpen('listTaggedResources', model('open', 'ListTaggedResourcesRequest', { limit: 100 }));
      const row = items(listed, 'body.resources').find((resource) => at(resource, 'resourceArn') === arn);
      assert.equal(at(row, 'tags.a'), 'b');
    });

    log.covers(
      ['FC/2021-04-06/GetAccountSettings', 'FC/2021-04-06/ListReservedCapacities', 'FC/2021-04-06/DescribeRegions'],
      'the account has a zone, a region, and nothing reserved',
      async () => {
        assert.ok(items(await fcOpen('getAccountSettings'), 'body.availableAZs').length > 0);
        const reserved = await fcOpen('listReservedCapacities', model('open', 'ListReservedCapacitiesRequest'));
        assert.deepEqual(items(reserved, 'body.reservedCapacities'), []);
        const regions = await world.clients.roa('2021-04-06')('DescribeRegions', 'get', '/2021-04-06/regions');
        assert.deepEqual(column(regions, 'Regions.Region', 'RegionId'), [region]);
      },
    );
  });
}
