// Domains of a group: by which Host callers reach it, in which stage, with which certificate.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { certificate } from '../kit/certificate.ts';
import { callPlain, certificateOf, protocolAt } from '../kit/gateway.ts';
import { at, textAt } from '../kit/read.ts';
import { mockApi, type World } from '../kit/world.ts';

const api = 'CloudAPI/2016-07-14';

export function domainCases(world: World): void {
  const { ask, log } = world;
  const { ready } = world.server;
  const answerAt = async (host: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await callPlain(ready, '', path, { headers: { host, ...headers } });
    return answer.status === 200 ? answer.body : String(answer.status);
  };

  describe('domains', () => {
    log.covers(
      [`${api}/SetDomain`, `${api}/DescribeDomain`, `${api}/DeleteDomain`],
      'a bound domain leads to its group and stage; another group takes it only by force',
      async () => {
        const [one, two] = [await world.newGroup(), await world.newGroup()];
        const apiId = await world.liveApi(one, mockApi('/d', 'one'));
        await ask('DeployApi', { GroupId: one, ApiId: apiId, StageName: 'TEST', Description: 'd' });
        await world.liveApi(two, mockApi('/d', 'two'));
        const DomainName = `${world.unique('d').replace('_', '-')}.example.com`;
        assert.equal(await answerAt(DomainName, '/d'), '404');
        await ask('SetDomain', { GroupId: one, DomainName });
        assert.equal(await answerAt(DomainName, '/d'), 'one');
        assert.equal(at(await ask('DescribeDomain', { GroupId: one, DomainName }), 'DomainBindingStatus'), 'BINDING');
        await fails('DomainAlreadyBind', ask('SetDomain', { GroupId: two, DomainName }));
        await ask('SetDomain', { GroupId: two, DomainName, IsForce: true });
        assert.equal(await answerAt(DomainName, '/d'), 'two');
        await fails('NotFoundDomain', ask('DescribeDomain', { GroupId: one, DomainName }));
        await ask('SetDomain', { GroupId: two, DomainName, BindStageName: 'PRE' });
        assert.equal(await answerAt(DomainName, '/d'), '404');
        await ask('DeleteDomain', { GroupId: two, DomainName });
        await fails('NotFoundDomain', ask('DescribeDomain', { GroupId: two, DomainName }));
        await ask('DeleteDomain', { GroupId: two, DomainName });
        await fails('InvalidDomainName', ask('SetDomain', { GroupId: one, DomainName: 'no domain' }));
      },
    );

    log.covers(
      [`${api}/SetWildcardDomainPatterns`],
      'a wildcard domain takes every name below it and keeps its patterns',
      async () => {
        const groupId = await world.newGroup();
        await world.liveApi(groupId, mockApi('/w', 'wild'));
        const base = `${world.unique('w').replace('_', '-')}.example.com`;
        const DomainName = `*.${base}`;
        await ask('SetDomain', { GroupId: groupId, DomainName });
        assert.equal(await answerAt(`shop.${base}`, '/w'), 'wild');
        const pattern = `{Shop}.${base}`;
        const params = { GroupId: groupId, DomainName, WildcardDomainPatterns: JSON.stringify([pattern]) };
        await ask('SetWildcardDomainPatterns', params);
        const shown = await ask('DescribeApiGroup', { GroupId: groupId });
        assert.ok(textAt(shown, 'CustomDomains.DomainItem.0.WildcardDomainPatterns').includes(pattern));
        assert.equal(await answerAt(`shop.${base}`, '/w'), 'wild');
        const wrong = { ...params, WildcardDomainPatterns: '{Shop}.example.org' };
        await fails('InvalidWildcardDomainPatterns', ask('SetWildcardDomainPatterns', wrong));
      },
    );

    log.covers(
      [`${api}/ModifyApiGroupNetworkPolicy`],
      'the HTTPS policy of a group holds for its names alone, and its own domain can be closed',
      async () => {
        const [old, other] = [await world.newGroup(), await world.newGroup()];
        await world.liveApi(old, mockApi('/n', 'net'));
        const hostOf = (groupId: string) => `${groupId}.localhost`;
        assert.equal(await protocolAt(ready, hostOf(old), 'TLSv1'), 'refused');
        await ask('ModifyApiGroupNetworkPolicy', { GroupId: old, HttpsPolicy: 'HTTPS1_1_TLS1_0' });
        assert.equal(at(await ask('DescribeApiGroup', { GroupId: old }), 'HttpsPolicy'), 'HTTPS1_1_TLS1_0');
        assert.equal(await protocolAt(ready, hostOf(old), 'TLSv1'), 'http/1.1');
        assert.equal(await protocolAt(ready, hostOf(old), 'TLSv1.2'), 'http/1.1');
        assert.equal(await protocolAt(ready, hostOf(other), 'TLSv1'), 'refused');
        assert.equal(await protocolAt(ready, hostOf(other), 'TLSv1.2'), 'h2');
        await fails('InvalidHttpsPolicy', ask('ModifyApiGroupNetworkPolicy', { GroupId: old, HttpsPolicy: 'TLS' }));
        await ask('ModifyApiGroupNetworkPolicy', { GroupId: old, HttpsPolicy: 'HTTPS2_TLS1_3' });
        assert.equal(await protocolAt(ready, hostOf(old), 'TLSv1'), 'refused');

        const ownDomain = `${old}-${ready.region}.alicloudapi.com`;
        assert.equal(await answerAt(ownDomain, '/n'), 'net');
        await ask('ModifyApiGroupNetworkPolicy', { GroupId: old, InnerDomainEnable: false });
        assert.equal(await answerAt(ownDomain, '/n'), '404');
        assert.equal(at(await ask('DescribeApiGroup', { GroupId: old }), 'DisableInnerDomain'), true);
        assert.equal(await answerAt(hostOf(old), '/n'), 'net');
      },
    );

    log.covers(
      [`${api}/ModifyIntranetDomainPolicy`],
      'the intranet domain of a group is opened and closed',
      async () => {
        const groupId = await world.newGroup();
        await world.liveApi(groupId, mockApi('/n', 'net'));
        const domain = `${groupId}-${ready.region}-vpc.alicloudapi.com`;
        assert.equal(await answerAt(domain, '/n'), 'net');
        await ask('ModifyIntranetDomainPolicy', { GroupId: groupId, VpcIntranetEnable: false });
        assert.equal(await answerAt(domain, '/n'), '404');
        assert.equal(at(await ask('DescribeApiGroup', { GroupId: groupId }), 'VpcDomain'), undefined);
        await ask('ModifyIntranetDomainPolicy', { GroupId: groupId, VpcIntranetEnable: true });
        assert.equal(await answerAt(domain, '/n'), 'net');
      },
    );

    log.covers(
      [`${api}/SetDomainCertificate`, `${api}/DeleteDomainCertificate`],
      'callers of a domain meet its certificate over TLS until it is deleted; its key is never shown',
      async () => {
        const groupId = await world.newGroup();
        const domain = { GroupId: groupId, DomainName: certificate.domainName };
        await ask('SetDomain', domain);
        const params = {
          ...{ CertificateName: 'conformance', CertificateBody: certificate.body },
          CertificatePrivateKey: certificate.privateKey,
        };
        await ask('SetDomainCertificate', { ...domain, ...params });
        const met = await certificateOf(ready, certificate.domainName);
        assert.equal(met, new X509Certificate(certificate.body).fingerprint256);
        const shown = await ask('DescribeDomain', domain);
        assert.equal(at(shown, 'CertificateName'), 'conformance');
        assert.ok(Number(at(shown, 'CertificateValidEnd')) > Date.now());
        assert.ok(!JSON.stringify(shown).includes('PRIVATE KEY'));
        const CertificateId = textAt(shown, 'CertificateId');
        await fails(
          'InvalidCertificateBody',
          ask('SetDomainCertificate', { ...domain, ...params, CertificateBody: 'x' }),
        );
        await ask('DeleteDomainCertificate', { ...domain, CertificateId });
        assert.notEqual(await certificateOf(ready, certificate.domainName), met);
        assert.equal(at(await ask('DescribeDomain', domain), 'CertificateId'), undefined);
        await fails('DomainCertificateNotFound', ask('DeleteDomainCertificate', { ...domain, CertificateId }));
        const other = { ...domain, DomainName: 'nobody.example.com' };
        await fails(/^(NotFoundDomain|InvalidCertificateBody)$/, ask('SetDomainCertificate', { ...other, ...params }));
      },
    );
  });
}
