// Attacks of functions over the network, by name, in each tier that gives them a network of their own: first in tier none,
// where they succeed (so they are real), then in the others, where they must not. The metadata and private addresses are
// those of a namespace behind this machine that answers to them.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { findSandd, probeSandd } from '../../src/functions/index.ts';
import { ordinaryNetworksLack } from '../harness/ordinary.ts';
import { type Outside, openOutside, outsideLacks } from '../harness/outside.ts';
import { zipped } from '../harness/sdk.ts';
import { Cleanup } from '../harness/server.ts';
import { AttackServer } from './attack-server.ts';

const attacks = [
  ['reaches the control API', 'reach_control'],
  ['reaches the metrics', 'reach_metrics'],
  ['reaches the console', 'reach_console'],
  ["reaches the gateway's listener", 'reach_gateway'],
  ['reaches the listener of function URLs', 'reach_http_listener'],
  ["reaches a service on the host's loopback", 'reach_loopback'],
  ['reaches a service of the host at its address', 'reach_host_by_address'],
  ['reaches a service of the host at another of its addresses', 'reach_host_by_link'],
  ['reaches another instance', 'reach_another_instance'],
  ['reaches the metadata service of the cloud', 'reach_metadata'],
  ['reaches a link-local metadata service', 'reach_link_local_metadata'],
  ['reaches a metadata service at an address of the internet', 'reach_public_metadata'],
  ["reaches a service on the host's loopback by another spelling", 'reach_loopback_by_spelling'],
  ['reaches a service of the host by another spelling of its address', 'reach_host_by_spelling'],
  ['reaches a metadata service by another spelling of its address', 'reach_metadata_by_spelling'],
  ['reaches a private range', 'reach_private_range'],
  ['asks a resolver of the host past the doorway', 'resolve_through_host'],
  ["sends with the host's address", 'spoof_source'],
  ['gives itself another address', 'change_addresses'],
  ['takes the filters of its network away', 'change_filters'],
  ["calls the platform with another function's credentials", 'use_credentials_of_another'],
] as const;

/** Listens, and tells where, and what it was given. */
const neighbourCode = `
import json, socket
listener = socket.socket()
listener.bind(('0.0.0.0', 0))
listener.listen()
def handler(event, context):
    c = context.credentials
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.connect(('192.88.99.254', 9))
    return json.dumps({'address': probe.getsockname()[0], 'port': listener.getsockname()[1],
        'stolen': [c.access_key_id, c.access_key_secret, c.security_token]})
`;

const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
const lacks = outsideLacks();
const tiers = ['none', ...['user', 'strong'].filter((tier) => probed.get(tier) === 'ok')];
const hasOrdinary = lacks === null && sandd.ok && ordinaryNetworksLack(sandd.path) === null;
const places = [
  ...tiers.map((tier) => ({ title: `in tier ${tier}`, tier, isOrdinary: false })),
  ...(hasOrdinary ? [{ title: 'in tier user of an ordinary user', tier: 'user', isOrdinary: true }] : []),
];

for (const { title, tier, isOrdinary } of lacks === null ? places : []) {
  describe(`a function ${title}`, () => {
    const cleanup = new Cleanup();
    let place: AttackServer;
    let given: Readonly<Record<string, unknown>> = {};

    before(async () => {
      const outside = await openOutside(cleanup, [
        '100.100.100.200',
        '169.254.169.254',
        '168.63.129.16',
        '10.213.77.1',
      ]);
      const hostPort = await listenEverywhere(cleanup);
      place = await AttackServer.start(tier, isOrdinary);
      const { ready } = place.server;
      assert.equal(ready.network, tier === 'none' ? 'host' : 'open');
      const code = { zipFile: await zipped({ 'index.py': neighbourCode }) };
      assert.equal((await place.create('neighbour', { code })).status, 200);
      const { address, port, stolen } = await place.invoke('neighbour', {});
      given = { ...facts(place, outside), hostPort, neighbour: address, neighbourPort: port, stolen };
    });
    after(async () => {
      await place.close();
      await cleanup.run();
    });

    for (const [attack, act] of attacks) {
      test(`${attack}: ${tier === 'none' ? 'yes' : 'no'}`, async (t) => {
        const { kind, said } = await place.attack({ subject: 'network', act, isSmall: false }, given);
        t.diagnostic(`${kind}: ${said.slice(0, 300)}`);
        assert.equal(kind, tier === 'none' ? 'succeeded' : 'refused', said);
        await place.isUnharmed();
      });
    }

    test('reaches the internet, and is then refused nothing else: yes', async () => {
      const order = { subject: 'network', act: 'reach_private_range', isSmall: false };
      const { kind, said } = await place.attack(order, { privateAddress: given['outsideAddress'] });
      assert.equal(kind, 'succeeded', said);
    });
  });
}

test('networks are attacked where they can be made', { skip: lacks ?? false }, () => {
  if (process.env['CI'] === 'true') assert.deepEqual(tiers, ['none', 'user', 'strong']);
});

function facts({ server }: AttackServer, outside: Outside) {
  const { api, gateway, http, accountId, region } = server.ready;
  return {
    api,
    gateway,
    http,
    hostAddress: outside.hostAddress,
    // Of the same machine, on no interface of the way out.
    linkAddress: outside.otherHostAddress,
    outsideAddress: outside.address,
    privateAddress: '10.213.77.1',
    places: [api, `http://${accountId}.${region}-internal.fc.aliyuncs.com`],
  };
}

/** Services of this machine on all its addresses, by HTTP and by datagrams. */
async function listenEverywhere(t: { after(step: () => void): void }): Promise<number> {
  const server = createServer((_call, answer) => answer.end('the host'));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the service has no port');
  const datagrams = createSocket('udp4');
  datagrams.on('message', (asked, from) => datagrams.send(asked, from.port, from.address));
  await new Promise<void>((resolve) => datagrams.bind(address.port, '0.0.0.0', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
    datagrams.close();
  });
  return address.port;
}
