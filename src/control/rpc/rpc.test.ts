import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { stringifyExactly } from '../../base/exact-number.ts';
import { parseQuery } from '../../wire/percent-encoding.ts';
import { RpcParameters } from '../../wire/rpc-parameters.ts';
import { toXml } from '../../wire/xml-answer.ts';
import { loadRpcCatalogue, type RpcCatalogue, type RpcOperation } from '../catalogue.ts';
import { ApiError } from '../errors.ts';
import { shapeAnswer } from './answer-shape.ts';
import { readArguments } from './arguments.ts';
import { type NestedRecord, readNested } from './nested.ts';

describe('RPC parameters by the catalogue', () => {
  let catalogue: RpcCatalogue;
  before(async () => {
    catalogue = await loadRpcCatalogue('2016-07-14');
  });

  function operation(name: string): RpcOperation {
    const found = catalogue.operations[name];
    assert.ok(found !== undefined);
    return found;
  }
  const read = (name: string, query: string) =>
    readArguments(catalogue, operation(name), new RpcParameters(parseQuery(query)));

  it('fills defaults, and tells them from what was given', () => {
    const args = read('DescribeApis', 'PageNumber=2');
    assert.equal(args.optionalNumber('PageNumber'), 2);
    assert.equal(args.optionalNumber('PageSize'), 10);
    assert.equal(args.isGiven('PageNumber'), true);
    assert.equal(args.isGiven('PageSize'), false);
  });

  it('brings enumerations to their canonical spelling', () => {
    assert.equal(read('DeployApi', 'ApiId=x&StageName=release&Description=d').text('StageName'), 'RELEASE');
  });

  it('takes words of JavaScript for an absent number or boolean', () => {
    const args = read('DescribeApis', 'PageSize=undefined&UnDeployed=null');
    assert.equal(args.optionalNumber('PageSize'), 10);
    assert.equal(args.optionalBoolean('UnDeployed'), null);
  });

  const refusals: [string, string, string][] = [
    ['DescribeApi', '', 'MissingApiId'],
    ['DescribeApi', 'ApiId=', 'MissingApiId'],
    ['DescribeApis', 'PageSize=ten', 'InvalidPageSize'],
    ['DescribeApis', 'PageSize=101', 'InvalidPageSize'],
    ['DescribeApis', 'PageNumber=0', 'InvalidPageNumber'],
    ['DescribeApis', 'StageName=STAGING', 'InvalidStageName'],
    ['DescribeApis', 'UnDeployed=perhaps', 'InvalidUnDeployed'],
    ['CreateApiGroup', 'GroupName=abc', 'InvalidGroupName'],
    ['CreateApiGroup', 'GroupName=1abc', 'InvalidGroupName'],
    ['CreateApp', 'AppName=天气天气天气天气天气天气天气天气', 'InvalidAppName'],
    ['SetAppsAuthorities', `ApiId=x&StageName=TEST&AppIds=${Array(101).fill('1').join()}`, 'InvalidAppIds'],
    [
      'CreateApiGroup',
      `GroupName=abcd&${Array.from({ length: 21 }, (_, n) => `Tag.${n + 1}.Key=k`).join('&')}`,
      'InvalidTag',
    ],
  ];
  for (const [name, query, code] of refusals) {
    it(`refuses ${name} with ${query.slice(0, 40) || 'nothing'} as ${code}`, () => {
      assert.throws(() => read(name, query), { code });
    });
  }

  it('reads names of CJK, letters, digits, underscores and hyphens', () => {
    assert.equal(read('CreateApiGroup', `GroupName=${encodeURIComponent('天气-v1_a')}`).text('GroupName'), '天气-v1_a');
  });

  it('reads nested JSON with keys and words in any case, and drops what it does not know', () => {
    const text = JSON.stringify({
      requestprotocol: 'http,HTTPS',
      REQUESTHTTPMETHOD: 'get',
      RequestPath: '/a',
      requestMode: 'Mapping',
      x: 1,
    });
    assert.deepEqual(readNested(catalogue.schemas ?? {}, 'RequestConfig', text, 'RequestConfig'), {
      RequestProtocol: 'HTTP,HTTPS',
      RequestHttpMethod: 'GET',
      RequestPath: '/a',
      RequestMode: 'MAPPING',
    });
  });

  it('reads numbers and booleans given as text, and empty text as absent', () => {
    const text = JSON.stringify({
      ServiceProtocol: 'HTTP',
      ServiceTimeout: '3000',
      Mock: true,
      ServicePath: '',
      VpcConfig: { Port: '80' },
    });
    assert.deepEqual(readNested(catalogue.schemas ?? {}, 'ServiceConfig', text, 'ServiceConfig'), {
      ServiceProtocol: 'HTTP',
      ServiceTimeout: 3000,
      Mock: 'TRUE',
      VpcConfig: { Port: 80 },
    });
  });

  it('keeps whole numbers of 64 bits to the last digit, and answers them so', () => {
    const text = `[{"ApiParameterName":"a","Location":"QUERY","ParameterType":"Long","Required":"OPTIONAL",
      "MinValue":"-9223372036854775808","MaxValue":9007199254740993,"MaxLength":7,"DocOrder":3}]`;
    const [row] = readNested(catalogue.schemas ?? {}, 'RequestParameter[]', text, 'p') as readonly NestedRecord[];
    assert.ok(row);
    const { MinValue, MaxValue, MaxLength } = row;
    assert.deepEqual([MinValue, MaxValue, MaxLength], ['-9223372036854775808', '9007199254740993', 7]);
    const shaped = shapeAnswer(operation('DescribeApi').answer, { RequestParameters: [row] });
    assert.match(stringifyExactly(shaped), /"MaxValue":9007199254740993[,}]/);
    assert.match(stringifyExactly(shaped), /"MinValue":-9223372036854775808[,}]/);
    assert.match(toXml('R', shaped), /<MaxValue>9007199254740993<\/MaxValue>/);
    const tooLong = text.replace('"DocOrder":3', '"DocOrder":9007199254740993');
    const work = () => readNested(catalogue.schemas ?? {}, 'RequestParameter[]', tooLong, 'p');
    assert.throws(work, { code: 'InvalidDocOrder', message: /9007199254740993/ });
  });

  it('names the element of a list that is wrong', () => {
    const rows = [
      { ApiParameterName: 'a', Location: 'BODY', ParameterType: 'String', Required: 'REQUIRED' },
      { ApiParameterName: 'b' },
    ];
    const work = () =>
      readNested(catalogue.schemas ?? {}, 'RequestParameter[]', JSON.stringify(rows), 'RequestParameters');
    assert.throws(work, { code: 'MissingLocation', message: /RequestParameters\[1\]\.Location/ });
  });

  it('answers any JSON with a value or a documented error', () => {
    const schemas = catalogue.schemas ?? {};
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(...Object.keys(schemas)), (text, schema) => {
        for (const type of [schema, `${schema}[]`]) {
          try {
            readNested(schemas, type, text, 'Parameter');
          } catch (error) {
            assert.ok(error instanceof ApiError, String(error));
          }
        }
      }),
    );
  });

  it('wraps lists, gives empty ones for missing ones, and keeps only known members', () => {
    const shape = operation('DescribeApis').answer;
    assert.deepEqual(shapeAnswer(shape, { RequestId: 'r', TotalCount: 0, Secret: 's' }), {
      ApiSummarys: { ApiSummary: [] },
      RequestId: 'r',
      TotalCount: 0,
    });
    const full = shapeAnswer(shape, { ApiSummarys: [{ ApiId: 'x', TagList: [{ TagKey: 'k' }], Description: null }] });
    assert.deepEqual(full['ApiSummarys'], {
      ApiSummary: [{ ApiId: 'x', DeployedInfos: { DeployedInfo: [] }, TagList: { Tag: [{ TagKey: 'k' }] } }],
    });
  });
});
