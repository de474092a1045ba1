// Domains, certificates, models, and the several keys and codes of an app, through official clients.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { PublishedApi, PublishedApp, PublishedGroup } from '../../src/model/published.ts';
import { issueLeaf } from '../../src/wire/x509.ts';
import { requestConfig, wholeApi } from './control-api-config.ts';
import { at, items, type Loose, type Plane, popRpc, startPlane, textAt } from './control-fixture.ts';

type Ask = (action: string, params?: Record<string, unknown>) => Promise<Loose>;

async function fails(code: string, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: { code?: unknown }) => {
    assert.equal(error.code, code);
    return true;
  });
}

let plane: Plane;
let ask: Ask;
let counter = 0;
const unique = (name: string) => `${name}_${++counter}`;
before(async () => {
  plane = await startPlane();
  ask = (action, params = {}) => popRpc(plane, 'POST')(action, params);
});
after(() => plane.close());

async function newGroup(): Promise<string> {
  return textAt(await ask('CreateApiGroup', { GroupName: unique('group') }), 'GroupId');
}
async function fact<T>(key: string): Promise<T | undefined> {
  return (await plane.published()).get(key) as T | undefined;
}
const domainsOf = async (GroupId: string) => (await fact<PublishedGroup>(`group ${GroupId}`))?.domains;

describe('the network policy of a group', () => {
  const networkOf = async (GroupId: string) => {
    const { httpsPolicy, hasOwnDomain, hasIntranetDomain, isIntranetOnly } =
      (await fact<PublishedGroup>(`group ${GroupId}`)) ?? {};
    return { httpsPolicy, hasOwnDomain, hasIntranetDomain, isIntranetOnly };
  };
  const unset = {
    ...{ httpsPolicy: undefined, hasOwnDomain: undefined },
    ...{ hasIntranetDomain: undefined, isIntranetOnly: undefined },
  };

  it('changes what is given and leaves the rest', async () => {
    const GroupId = await newGroup();
    assert.deepEqual(await networkOf(GroupId), unset);
    await ask('ModifyApiGroupNetworkPolicy', { GroupId, HttpsPolicy: 'HTTPS1_1_TLS1_0', InternetEnable: false });
    await ask('ModifyApiGroupNetworkPolicy', { GroupId, InnerDomainEnable: false, VpcIntranetEnable: false });
    const closed = { hasOwnDomain: false, hasIntranetDomain: false, isIntranetOnly: true };
    assert.deepEqual(await networkOf(GroupId), { httpsPolicy: 'HTTPS1_1_TLS1_0', ...closed });
    const shown = await ask('DescribeApiGroup', { GroupId });
    assert.deepEqual(
      ['HttpsPolicy', 'DisableInnerDomain', 'VpcDomain'].map((name) => at(shown, name)),
      ['HTTPS1_1_TLS1_0', true, undefined],
    );
    await ask('ModifyApiGroup', { GroupId, Description: 'd' });
    await ask('ModifyApiGroupNetworkPolicy', { GroupId, HttpsPolicy: 'HTTPS2_TLS1_3', InternetEnable: true });
    await ask('ModifyIntranetDomainPolicy', { GroupId, VpcIntranetEnable: true });
    const opened = { hasOwnDomain: false, hasIntranetDomain: true, isIntranetOnly: false };
    assert.deepEqual(await networkOf(GroupId), { httpsPolicy: 'HTTPS2_TLS1_3', ...opened });
    const listed = await ask('DescribeApiGroups', { GroupId });
    assert.equal(at(listed, 'ApiGroupAttributes.ApiGroupAttribute.0.HttpsPolicy'), 'HTTPS2_TLS1_3');
  });

  it('is refused by name where it cannot be, and changes nothing', async () => {
    const GroupId = await newGroup();
    await fails('InvalidHttpsPolicy', ask('ModifyApiGroupNetworkPolicy', { GroupId, HttpsPolicy: 'TLS1_0' }));
    for (const name of ['InternetIPV6Enable', 'VpcSlbIntranetEnable']) {
      const wanted = { GroupId, [name]: true, HttpsPolicy: 'HTTPS2_TLS1_3' };
      await fails('UnsupportedParameter', ask('ModifyApiGroupNetworkPolicy', wanted));
    }
    const nobody = { GroupId: 'f'.repeat(32), HttpsPolicy: 'HTTPS2_TLS1_3' };
    await fails('NotFoundApiGroup', ask('ModifyApiGroupNetworkPolicy', nobody));
    assert.deepEqual(await networkOf(GroupId), unset);
  });
});

describe('domains', () => {
  it('are bound, shown, bound anew, and gone after deletion', async () => {
    const GroupId = await newGroup();
    const DomainName = `${unique('api').replace('_', '-')}.Example.com`;
    const host = DomainName.toLowerCase();
    const made = await ask('SetDomain', { GroupId, DomainName, BindStageName: 'TEST' });
    assert.equal(at(made, 'DomainBindingStatus'), 'BINDING');
    assert.equal(at(made, 'SubDomain'), `${GroupId}-cn-hangzhou.alicloudapi.com`);
    assert.deepEqual(await domainsOf(GroupId), [
      { host, stage: 'TEST', redirectsToHttps: false, patterns: [], isIntranet: false },
    ]);
    await ask('SetDomain', { GroupId, DomainName, IsHttpRedirectToHttps: true });
    assert.deepEqual(await domainsOf(GroupId), [
      { host, stage: null, redirectsToHttps: true, patterns: [], isIntranet: false },
    ]);
    const shown = await ask('DescribeApiGroup', { GroupId });
    assert.equal(at(shown, 'CustomDomains.DomainItem.0.DomainName'), host);
    assert.equal(at(shown, 'CustomDomains.DomainItem.0.IsHttpRedirectToHttps'), true);
    assert.equal(at(await ask('DescribeDomain', { GroupId, DomainName }), 'GroupId'), GroupId);
    await ask('DeleteDomain', { GroupId, DomainName });
    await ask('DeleteDomain', { GroupId, DomainName });
    assert.deepEqual(await domainsOf(GroupId), []);
    await fails('NotFoundDomain', ask('DescribeDomain', { GroupId, DomainName }));
  });

  it('belong to one group, until another takes them by force', async () => {
    const [first, second] = [await newGroup(), await newGroup()];
    await ask('SetDomain', { GroupId: first, DomainName: 'taken.example.com' });
    await fails('DomainAlreadyBind', ask('SetDomain', { GroupId: second, DomainName: 'taken.example.com' }));
    await ask('SetDomain', { GroupId: second, DomainName: 'taken.example.com', IsForce: true });
    assert.deepEqual(await domainsOf(first), []);
    assert.equal((await domainsOf(second))?.[0]?.host, 'taken.example.com');
  });

  it('are at most five of a kind in a group', async () => {
    const GroupId = await newGroup();
    for (let n = 0; n < 5; n++) await ask('SetDomain', { GroupId, DomainName: `${n}.five.example.com` });
    await fails('ExceedLimitDomain', ask('SetDomain', { GroupId, DomainName: '6.five.example.com' }));
    await ask('SetDomain', { GroupId, DomainName: '6.five.example.com', CustomDomainType: 'INTRANET' });
    await ask('DeleteApiGroup', { GroupId });
    await ask('SetDomain', { GroupId: await newGroup(), DomainName: '1.five.example.com' });
  });

  it('are refused when they are no domains or not the caller’s', async () => {
    const GroupId = await newGroup();
    for (const DomainName of [
      'localhost',
      '1.2.3.4',
      'a..b',
      'a_b.test',
      `${GroupId}-cn-hangzhou.alicloudapi.com`,
      'x.*.com',
    ]) {
      await fails('InvalidDomainName', ask('SetDomain', { GroupId, DomainName }));
    }
  });

  it('with a wildcard name what the star stands for', async () => {
    const GroupId = await newGroup();
    const DomainName = '*.wild.example.com';
    await ask('SetDomain', { GroupId, DomainName });
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is the wire's own placeholder
    const pattern = '${User}.wild.example.com';
    await ask('SetWildcardDomainPatterns', { GroupId, DomainName, WildcardDomainPatterns: JSON.stringify([pattern]) });
    assert.deepEqual((await domainsOf(GroupId))?.[0]?.patterns, [pattern]);
    const bad = { GroupId, DomainName, WildcardDomainPatterns: 'User.other.com' };
    await fails('InvalidWildcardDomainPatterns', ask('SetWildcardDomainPatterns', bad));
    await ask('SetDomain', { GroupId, DomainName: 'plain.wild.example.com' });
    const plain = { GroupId, DomainName: 'plain.wild.example.com', WildcardDomainPatterns: pattern };
    await fails('InvalidDomainName', ask('SetWildcardDomainPatterns', plain));
  });

  it('take a certificate that is theirs, whose key is never shown', async () => {
    const GroupId = await newGroup();
    const DomainName = 'tls.example.com';
    await ask('SetDomain', { GroupId, DomainName });
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const CertificatePrivateKey = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const now = Date.now();
    const certificate = (host: string) =>
      issueLeaf({
        hosts: [host],
        key: keys.publicKey,
        issuer: 'x',
        issuerKey: keys.privateKey,
        from: now,
        until: now + 8.64e7,
      });
    const set = (CertificateBody: string, more: object = {}) =>
      ask('SetDomainCertificate', {
        GroupId,
        DomainName,
        CertificateName: 'c',
        CertificateBody,
        CertificatePrivateKey,
        ...more,
      });
    await fails('InvalidCertificateBody', set('no certificate'));
    await fails('InvalidCertificateBody', set(certificate('other.example.com')));
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    await fails('InvalidCertificatePrivateKey', set(certificate(DomainName), { CertificatePrivateKey: String(other) }));
    await fails('UnsupportedParameter', set(certificate(DomainName), { CaCertificateBody: 'x' }));
    const body = certificate(DomainName);
    // No handshake would succeed with what follows it.
    await fails('InvalidCertificateBody', set(`${body}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`));
    await set(body);
    assert.deepEqual(await fact(`certificate ${DomainName}`), {
      host: DomainName,
      chain: body,
      privateKey: CertificatePrivateKey,
    });
    const shown = await ask('DescribeDomain', { GroupId, DomainName });
    assert.equal(at(shown, 'CertificateBody'), body);
    assert.ok(!JSON.stringify(shown).includes('PRIVATE KEY'));
    assert.equal(at(shown, 'CertificateValidEnd'), Math.floor((now + 8.64e7) / 1000) * 1000);
    const CertificateId = textAt(shown, 'CertificateId');
    await fails(
      'DomainCertificateNotFound',
      ask('DeleteDomainCertificate', { GroupId, DomainName, CertificateId: 'x' }),
    );
    await ask('DeleteDomainCertificate', { GroupId, DomainName, CertificateId });
    assert.equal(await fact(`certificate ${DomainName}`), undefined);
    await set(body);
    await ask('DeleteDomain', { GroupId, DomainName });
    assert.equal(await fact(`certificate ${DomainName}`), undefined);
  });
});

describe('the keys and codes of an app', () => {
  async function newApp() {
    const AppId = Number(at(await ask('CreateApp', { AppName: unique('app') }), 'AppId'));
    const published = () => fact<PublishedApp>(`app ${AppId}`);
    const securities = async () => items(await ask('DescribeAppSecurities', { AppId }), 'AppSecuritys.AppSecurity');
    return { AppId, published, securities };
  }

  it('are made, shown, reset and deleted, each in force at once', async () => {
    const { AppId, published, securities } = await newApp();
    const AppKey = unique('key');
    const AppCode = unique('code');
    await ask('CreateAppKey', { AppId, AppKey, AppSecret: 'chosen-secret' });
    await ask('CreateAppCode', { AppId, AppCode });
    assert.deepEqual((await published())?.keys[1], { key: AppKey, secret: 'chosen-secret' });
    assert.equal((await published())?.codes?.[1], AppCode);
    const [first, second] = await securities();
    assert.equal(at(second, 'AppSecret'), 'chosen-secret');
    assert.equal(at(second, 'AppCode'), AppCode);

    await ask('ResetAppSecret', { AppKey, NewAppSecret: 'reset' });
    await ask('ResetAppCode', { AppCode, NewAppCode: `${AppCode}x` });
    assert.deepEqual((await published())?.keys[1], { key: AppKey, secret: 'reset' });
    assert.equal((await published())?.codes?.[1], `${AppCode}x`);

    await ask('DeleteAppKey', { AppId, AppKey: textAt(first, 'AppKey') });
    await ask('DeleteAppCode', { AppId, AppCode: textAt(first, 'AppCode') });
    assert.deepEqual((await published())?.keys, [{ key: AppKey, secret: 'reset' }]);
    assert.deepEqual((await published())?.codes, [`${AppCode}x`]);
    await fails('InvalidAppKey', ask('DeleteAppKey', { AppId, AppKey }));
    await ask('DeleteAppCode', { AppId, AppCode: `${AppCode}x` });
    assert.deepEqual((await published())?.codes, []);
  });

  it('are unique among all apps, and bounded in one', async () => {
    const one = await newApp();
    const other = await newApp();
    const AppKey = unique('key');
    const AppCode = unique('code');
    await ask('CreateAppKey', { AppId: one.AppId, AppKey });
    await ask('CreateAppCode', { AppId: one.AppId, AppCode });
    await fails('DuplicateAppKey', ask('CreateAppKey', { AppId: other.AppId, AppKey }));
    await fails('DuplicateAppKey', ask('CreateApp', { AppName: unique('app'), AppKey }));
    await fails('DuplicateAppCode', ask('CreateAppCode', { AppId: other.AppId, AppCode }));
    for (let n = 0; n < 3; n++) await ask('CreateAppKey', { AppId: one.AppId });
    await fails('ExceedLimitAppKey', ask('CreateAppKey', { AppId: one.AppId }));
    await fails('NotFoundAppKey', ask('DeleteAppKey', { AppId: other.AppId, AppKey }));
    await fails('NotFoundAppCode', ask('ResetAppCode', { AppCode: 'nobody' }));
  });
});

describe('models', () => {
  const Schema = JSON.stringify({ type: 'object', required: ['age'], properties: { age: { type: 'integer' } } });

  it('are made, shown, changed and deleted', async () => {
    const GroupId = await newGroup();
    const made = await ask('CreateModel', { GroupId, ModelName: 'Person', Schema });
    assert.equal(at(made, 'ModelRef'), `https://apigateway.aliyun.com/models/${GroupId}/${textAt(made, 'ModelId')}`);
    await fails('DuplicateModelName', ask('CreateModel', { GroupId, ModelName: 'Person', Schema }));
    await ask('ModifyModel', { GroupId, ModelName: 'Person', NewModelName: 'Human', Description: 'd' });
    const listed = await ask('DescribeModels', { GroupId });
    assert.equal(at(listed, 'ModelDetails.ModelDetail.0.ModelName'), 'Human');
    assert.equal(at(listed, 'ModelDetails.ModelDetail.0.Schema'), Schema);
    await ask('DeleteModel', { GroupId, ModelName: 'Human' });
    await fails('NotFoundModel', ask('DeleteModel', { GroupId, ModelName: 'Human' }));
  });

  it('are refused when they are no schema of an object', async () => {
    const GroupId = await newGroup();
    for (const bad of ['{', '[]', '{"type":"array"}', '{"type":"object","properties":{"a":{"pattern":"(?=x)"}}}']) {
      await fails('InvalidSchema', ask('CreateModel', { GroupId, ModelName: 'Bad', Schema: bad }));
    }
  });

  it('are frozen into what is published', async () => {
    const GroupId = await newGroup();
    const BodyModel = textAt(await ask('CreateModel', { GroupId, ModelName: 'Person', Schema }), 'ModelRef');
    const RequestConfig = JSON.stringify({
      ...requestConfig,
      RequestMode: 'PASSTHROUGH',
      BodyFormat: 'STREAM',
      BodyModel,
    });
    const ApiId = textAt(
      await ask('CreateApi', { GroupId, ApiName: unique('api'), ...wholeApi, RequestConfig }),
      'ApiId',
    );
    await ask('DeployApi', { ApiId, StageName: 'RELEASE', Description: 'd' });
    assert.equal((await fact<PublishedApi>(`api ${ApiId}/RELEASE`))?.definition.request.bodySchema, Schema);
    await ask('DeleteModel', { GroupId, ModelName: 'Person' });
    await fails('NotFoundModel', ask('DeployApi', { ApiId, StageName: 'TEST', Description: 'd' }));
  });
});

describe('definitions that could not be checked', () => {
  it('are refused with the reason', async () => {
    const GroupId = await newGroup();
    const create = (rules: object) =>
      ask('CreateApi', {
        GroupId,
        ApiName: unique('api'),
        ...wholeApi,
        RequestParameters: JSON.stringify([
          { ApiParameterName: 'a', Location: 'BODY', ParameterType: 'String', Required: 'OPTIONAL', ...rules },
          { ApiParameterName: 'b', Location: 'BODY', ParameterType: 'String', Required: 'OPTIONAL' },
        ]),
      });
    await fails('InvalidRegularExpression', create({ RegularExpression: '(?=a)a' }));
    await fails('InvalidJsonScheme', create({ JsonScheme: '{"type":"text"}' }));
    await fails('InvalidMinValue', create({ ParameterType: 'Int', MinValue: 2, MaxValue: 1 }));
    await fails('InvalidMaxLength', create({ MaxLength: -1 }));
    await fails('InvalidMinLength', create({ MinLength: 2, MaxLength: 1 }));
    await fails('InvalidEnumValue', create({ ParameterType: 'Int', EnumValue: '1,x' }));
    await fails('InvalidDefaultValue', create({ ParameterType: 'Int', MaxValue: 8, DefaultValue: '9' }));
    await create({ RegularExpression: '^[a-z]+$', JsonScheme: '{"type":"string"}' });
  });
});

describe('a group', () => {
  it('answers as classic instances do, and keeps codes from backends, where it is told to', async () => {
    const GroupId = await newGroup();
    const flags = async () => {
      const group = await fact<PublishedGroup>(`group ${GroupId}`);
      return [group?.isClassic, group?.stripsAppCode];
    };
    await ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'classic', FilterAppCodeForBackend: 'true' });
    assert.deepEqual(await flags(), [true, true]);
    assert.equal(at(await ask('DescribeApiGroup', { GroupId }), 'CompatibleFlags'), 'classic');
    await ask('ModifyApiGroup', { GroupId, Description: 'd' });
    assert.deepEqual(await flags(), [true, true]);
    await ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'none', FilterAppCodeForBackend: 'false' });
    assert.deepEqual(await flags(), [false, false]);
    await fails('UnsupportedParameter', ask('ModifyApiGroup', { GroupId, CompatibleFlags: 'other' }));
  });
});
