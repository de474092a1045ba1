// Images of registries that ask for a password: given by who calls, or as docker and podman have kept it.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { findCredentials } from '../../src/functions/images/credentials.ts';
import { pullImage } from '../../src/functions/index.ts';
import { ImageRegistry, tarOf } from '../harness/image-registry.ts';
import { Cleanup, temporaryDirectory } from '../harness/server.ts';

const cleanup = new Cleanup();
after(() => cleanup.run());
const known = { username: 'team', password: 'p:ass word' };
const basic = Buffer.from(`${known.username}:${known.password}`).toString('base64');

async function open(asks: ImageRegistry['asks']) {
  const registry = await ImageRegistry.open(cleanup);
  registry.publish({ layers: [tarOf([{ name: 'app', content: 'x' }])], config: { Cmd: ['/app'] } });
  registry.asks = asks;
  const place = temporaryDirectory(cleanup);
  mkdirSync(`${place}/images`);
  return { registry, place, images: `${place}/images`, reference: `${registry.host}/team/app:v1` };
}

for (const scheme of ['token', 'basic'] as const) {
  test(`a name and a password open a registry that asks for them (${scheme}); others do not, and are not shown`, async () => {
    const { images, reference } = await open({ scheme, ...known });
    const wrong = { username: 'team', password: 'another secret' };
    for (const credentials of [wrong, { ...wrong, username: 'x' }]) {
      await assert.rejects(pullImage(reference, images, { replaces: false, credentials }), (error: Error) => {
        assert.match(error.message, /--password-stdin/);
        assert.ok(!error.message.includes(wrong.password));
        return true;
      });
    }
    assert.equal((await pullImage(reference, images, { replaces: false, credentials: known })).isNew, true);
  });
}

test('an identity token is changed for another', async () => {
  const { images, reference } = await open({ scheme: 'token', username: 'never', password: 'identity' });
  const credentials = { username: '<token>', password: 'identity' };
  assert.equal((await pullImage(reference, images, { replaces: false, credentials })).isNew, true);
});

test('what docker and podman have kept is found by the name of the registry, in files and by helpers', async () => {
  const home = temporaryDirectory(cleanup);
  const env = (more: Record<string, string> = {}) => ({
    HOME: home,
    PATH: `${home}/bin:${process.env['PATH']}`,
    ...more,
  });
  const keep = (path: string, value: object) => {
    mkdirSync(`${home}/${path}`.replace(/\/[^/]*$/, ''), { recursive: true });
    writeFileSync(`${home}/${path}`, JSON.stringify(value));
  };
  assert.equal(await findCredentials('r.example:5000', env()), null);
  keep('.docker/config.json', {
    auths: { 'https://r.example:5000': { auth: basic }, 'https://index.docker.io/v1/': { identitytoken: 'long' } },
    credHelpers: { 'h.example': 'kept', 'none.example': 'kept', 'broken.example': 'broken' },
  });
  assert.deepEqual(await findCredentials('r.example:5000', env()), known);
  assert.equal(await findCredentials('r.example', env()), null, 'another port is another registry');
  assert.deepEqual(await findCredentials('registry-1.docker.io', env()), { username: '<token>', password: 'long' });
  keep('bin/docker-credential-kept', {});
  const script = '#!/bin/sh\nread name\n[ "$1 $name" = "get h.example" ] || exit 1\n';
  writeFileSync(`${home}/bin/docker-credential-kept`, `${script}echo '{"Username":"u","Secret":"s"}'\n`);
  writeFileSync(`${home}/bin/docker-credential-broken`, '#!/bin/sh\necho secret\n');
  for (const name of ['kept', 'broken']) chmodSync(`${home}/bin/docker-credential-${name}`, 0o755);
  assert.deepEqual(await findCredentials('h.example', env()), { username: 'u', password: 's' });
  assert.equal(await findCredentials('none.example', env()), null);
  await assert.rejects(findCredentials('broken.example', env()), (error: Error) => {
    assert.match(error.message, /docker-credential-broken gave something/);
    assert.ok(!error.message.includes('secret'));
    return true;
  });
  keep('other/config.json', { credsStore: '../../bin/sh' });
  await assert.rejects(
    findCredentials('r.example', env({ DOCKER_CONFIG: `${home}/other` })),
    /is no name of a credential helper/,
  );
  keep('.config/containers/auth.json', { auths: { 'r.example': { auth: basic } } });
  assert.deepEqual(await findCredentials('r.example', env()), known);
});
