// Every operation that is served has a case that asserts its effect through an official SDK; every other is refused.
import assert from 'node:assert/strict';
import { after, describe, it, test } from 'node:test';
import { loadFcCatalogue, loadRpcCatalogue } from '../src/control/catalogue.ts';
import { listOperations, type OperationStatus } from '../src/control/registry.ts';
import { Cleanup } from '../tests/harness/server.ts';
import { apiCases } from './cases/apis.ts';
import { credentialCases } from './cases/app-credentials.ts';
import { appCases } from './cases/apps.ts';
import { backendCases } from './cases/backends.ts';
import { domainCases } from './cases/domains.ts';
import { accountCases } from './cases/fc-account.ts';
import { execCases } from './cases/fc-exec.ts';
import { layerCases } from './cases/fc-layers.ts';
import { limitCases } from './cases/fc-limits.ts';
import { provisionCases } from './cases/fc-provision.ts';
import { serviceCases } from './cases/fc-services.ts';
import { settingCases } from './cases/fc-settings.ts';
import { triggerCases } from './cases/fc-triggers.ts';
import { unsetCases } from './cases/fc-unset.ts';
import { uploadCases } from './cases/fc-uploads.ts';
import { fc3Cases } from './cases/fc3.ts';
import { groupCases } from './cases/groups.ts';
import { apiParameterCases } from './cases/parameters-apis.ts';
import { appParameterCases } from './cases/parameters-apps.ts';
import { backendParameterCases } from './cases/parameters-backends.ts';
import { groupParameterCases } from './cases/parameters-groups.ts';
import { policyParameterCases } from './cases/parameters-policies.ts';
import { policyCases } from './cases/policies.ts';
import { requestLogCases } from './cases/request-logs.ts';
import { type OperationName, outcomeOf } from './kit/calls.ts';
import { classic, open } from './kit/service-fc.ts';
import { World } from './kit/world.ts';

const cleanup = new Cleanup();
after(() => cleanup.run());
const world = await World.start(cleanup);
const operations = await listOperations();

groupCases(world);
apiCases(world);
appCases(world);
credentialCases(world);
backendCases(world);
policyCases(world);
domainCases(world);
requestLogCases(world);
appParameterCases(world);
policyParameterCases(world);
groupParameterCases(world);
backendParameterCases(world);
apiParameterCases(world);
serviceCases(world, classic(world));
serviceCases(world, open(world));
accountCases(world);
uploadCases(world);
fc3Cases(world);
layerCases(world);
settingCases(world);
limitCases(world);
provisionCases(world);
execCases(world);
triggerCases(world);
unsetCases(world);

test('every operation that is served has a case', () => {
  const served = operations.filter(({ status }) => status !== 'refused');
  const names = served.map(({ product, version, operation }) => `${product}/${version}/${operation}` as OperationName);
  const missing = names.filter((name) => !world.log.covered.has(name));
  assert.ok(
    missing.length === 0,
    `operations of src/control/registry.ts without a case in conformance/cases:\n${missing.join('\n')}`,
  );
});

/** Parameters of served operations that are refused by name; their cases assert that. */
const refusedParameters: Readonly<Record<string, readonly string[]>> = {
  DescribeApis: ['CatalogId'],
  ModifyApiConfiguration: ['ModelName'],
  ModifyApiGroup: ['RpcPattern'],
  ModifyApiGroupNetworkPolicy: ['InternetIPV6Enable', 'VpcSlbIntranetEnable'],
  SetDomainCertificate: ['CaCertificateBody', 'SslVerifyDepth'],
};

test('every documented parameter of the operations of API Gateway that are served is sent by a case', async () => {
  const { operations: described } = await loadRpcCatalogue('2016-07-14');
  const served = operations.filter(({ product, status }) => product === 'CloudAPI' && status !== 'refused');
  const missing = served.flatMap(({ operation }) => {
    const sent = world.log.parametersOf(`CloudAPI/2016-07-14/${operation}`);
    const refused = refusedParameters[operation] ?? [];
    const names = Object.keys(described[operation]?.params ?? {});
    return names.filter((name) => !sent.has(name) && !refused.includes(name)).map((name) => `${operation} ${name}`);
  });
  assert.deepEqual(missing, []);
});

async function callRpc({ product, version, operation }: OperationStatus): Promise<string> {
  return (await outcomeOf(world.clients.pop('POST', version, product)(operation, {}))).code;
}

/** A path with something in every place; `[.{qualifier}]` left out. */
function concrete(path: string): string {
  return path.replace('[.{qualifier}]', '').replaceAll(/\{\w+\*?\}/g, 'x');
}

async function callFc(version: '2016-08-15' | '2021-04-06' | '2023-03-30', operation: string): Promise<string> {
  const described = (await loadFcCatalogue(version)).operations[operation];
  const method = (described?.method ?? 'GET').replace('ANY', 'GET').toLowerCase() as 'get' | 'post' | 'put' | 'delete';
  const call = world.clients.roa(version);
  return (await outcomeOf(call(operation, method, concrete(described?.path ?? ''), {}, {}))).code;
}

describe('refused operations', () => {
  const refused = operations.filter(({ status }) => status === 'refused');
  const rows = (product: string, version: string) =>
    refused.filter((row) => row.product === product && row.version === version);

  for (const [product, version, code] of [
    ['CloudAPI', '2016-07-14', 'InvalidApi.NotFound'],
    ['Dysmsapi', '2017-05-25', 'InvalidAction.NotFound'],
  ] as const) {
    it(`${product} ${version}: each answers ${code}`, async () => {
      const wrong = [];
      for (const row of rows(product, version)) {
        const outcome = await callRpc(row);
        if (outcome !== code) wrong.push(`${row.operation}: ${outcome}`);
      }
      assert.deepEqual(wrong, []);
    });
  }

  for (const version of ['2016-08-15', '2021-04-06', '2023-03-30'] as const) {
    it(`FC ${version}: each answers PathNotSupported`, async () => {
      const wrong = [];
      for (const { operation } of rows('FC', version)) {
        const outcome = await callFc(version, operation);
        if (outcome !== 'PathNotSupported') wrong.push(`${operation}: ${outcome}`);
      }
      assert.deepEqual(wrong, []);
    });
  }
});
