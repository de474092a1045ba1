// Domains of a group: by which Host callers reach it, in which stage, with which certificate.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe } from 'node:test';
import { fails } from '../kit/calls.ts';
import { certificate } from '../kit/certificate.ts';
import { callPlain, certificateOf } from '../kit/gateway.ts';
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
