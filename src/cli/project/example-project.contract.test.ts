import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { apiUrl, exampleLines } from './examples.ts';
import { makePlan, mappedParameters } from './plan.ts';
import { parseTemplate } from './template.ts';

const place = { region: 'cn-hangzhou', accountId: '1234567890123456' };

for (const name of ['template.yml', 'template.node.yml']) {
  const folder = new URL('../../../examples/testadd/', import.meta.url);
  const template = parseTemplate(name, readFileSync(new URL(name, folder), 'utf8'), () => '');
  const plan = makePlan(template, '/project', place);

  test(`the example ${name} reads without a warning and maps form fields to query parameters`, () => {
    assert.deepEqual(template.warnings, []);
    const apis = plan.groups.flatMap((group) => group.apis);
    assert.deepEqual(
      apis.map((api) => [api.method, api.path, api.auth]),
      [
        ['POST', '/testadd', 'APP'],
        ['POST', '/testevent', 'ANONYMOUS'],
      ],
    );
    for (const api of apis) {
      assert.deepEqual(
        mappedParameters(api).map(({ name: each, location }) => [each, location]),
        [
          ['a', 'QUERY'],
          ['b', 'QUERY'],
        ],
      );
    }
  });

  test(`the lines to try ${name} need no nonce and no timestamp`, () => {
    const apis = plan.groups.flatMap((group) =>
      group.apis.map((api) => ({ api, stage: group.stage, url: apiUrl('http://127.0.0.1:8080', null, api.path) })),
    );
    const app = { appId: 1, appKey: 'key', appSecret: 'do-not-print-this' };
    const lines = exampleLines(
      { app, urls: [], functions: plan.functions, apis },
      { program: 'yunmen', dataDir: null },
    ).map(({ command }) => command);
    assert.equal(lines[0], 'yunmen call POST /testadd -d a=12323 -d b=142');
    assert.match(
      lines[1] ?? '',
      /^curl -i http:\/\/127\.0\.0\.1:8080\/testadd[\s\S]*X-Ca-Signature: [\s\S]*-d a=12323[\s\S]*-d b=142$/,
    );
    assert.match(lines[2] ?? '', /^curl -i http:\/\/127\.0\.0\.1:8080\/testevent/);
    assert.equal(lines[3], `yunmen invoke demo/testadd --event '{"queryParameters":{"a":"12323","b":"142"}}'`);
    assert.doesNotMatch(lines.join('\n'), /Nonce|Timestamp|do-not-print-this/);
    assert.doesNotMatch(lines[2] ?? '', /X-Ca-Key|Signature/);
  });
}
