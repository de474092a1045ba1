// Certificates, domains and TLS policies change while requests run: no request fails that should not, and no handshake that began after
// an acknowledgement shows an older certificate, or takes an older policy. YUNMEN_TORTURE=1: 1,000 changes.
import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { text as readText } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { counted, isTorture } from '../../scripts/test/torture.ts';
import { issueLeaf } from '../../src/wire/x509.ts';
import { mockApi } from '../harness/mock-api.ts';
import { Project } from '../harness/project.ts';
import { startServer, temporaryDirectory } from '../harness/server.ts';

const domains = 3;
/** Of each domain, each a step of `steps` below. */
const changesPerDomain = counted(12, 250);
const timeout = isTorture ? 3_600_000 : 120_000;
const dayMs = 24 * 60 * 60 * 1000;

/** What a client sees in a handshake and an answer: who the certificate is by, then the status; or that it was refused. */
type Seen = string;

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const privateKey = String(keys.privateKey.export({ type: 'pkcs8', format: 'pem' }));

/** A certificate that its issuer's name tells from others, as SetDomainCertificate takes it. */
function certificateOf(host: string, issuer: string) {
  const [from, until] = [Date.now() - dayMs, Date.now() + dayMs];
  const leaf = issueLeaf({ hosts: [host], key: keys.publicKey, issuer, issuerKey: keys.privateKey, from, until });
  return { CertificateName: issuer, CertificateBody: leaf, CertificatePrivateKey: privateKey };
}

class Clients {
  readonly #port: number;

  constructor(gatewayTls: string) {
    this.#port = Number(new URL(gatewayTls).port);
  }

  /** A new connection with one request. `isOld`: TLS 1.1, as a client that speaks nothing later. */
  ask(host: string, isOld = false): Promise<Seen> {
    const versions = isOld ? { maxVersion: 'TLSv1.1' as const, minVersion: 'TLSv1.1' as const } : {};
    const options = { port: this.#port, host: '127.0.0.1', servername: host, rejectUnauthorized: false, ...versions };
    return new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ ...options, ciphers: 'DEFAULT@SECLEVEL=0' }, () => {
        const { issuer } = new X509Certificate(socket.getPeerCertificate().raw);
        socket.write(`GET /m HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
        readText(socket).then((answer) => resolve(`${issuer.replace('CN=', '')} ${answer.slice(9, 12)}`), reject);
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        // The connection may end before the alert is out.
        if (/ALERT|SSL/.test(error.code ?? '') || (isOld && error.code === 'ECONNRESET')) resolve('refused');
        else reject(error);
      });
    });
  }

  /** A connection of HTTP/2 that stays. */
  keep(host: string, t: TestContext): () => Promise<number> {
    const session: ClientHttp2Session = connectHttp2(`https://${host}:${this.#port}`, {
      createConnection: () =>
        connect({
          ...{ port: this.#port, host: '127.0.0.1', servername: host, rejectUnauthorized: false },
          ALPNProtocols: ['h2'],
        }),
    });
    t.after(() => session.destroy());
    return () =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': '/m' });
        stream.on('response', (headers) => resolve(Number(headers[':status'])));
        stream.on('error', reject).resume();
      });
  }
}

/** A domain that is written again and again. `states[n]` is what clients see of its n-th state. */
type Changing = {
  readonly host: string;
  readonly states: Seen[];
  acknowledged: number;
  sent: number;
};

async function look(clients: Clients, changing: Changing): Promise<void> {
  const { acknowledged } = changing;
  const got = await clients.ask(changing.host);
  const allowed = changing.states.slice(acknowledged, changing.sent + 1);
  // The certificate is of the handshake, the answer of the request behind it: each of a state that may be seen.
  const [issuer, status] = [got.slice(0, -4), got.slice(-3)];
  assert.ok(
    allowed.some((state) => state.slice(0, -4) === issuer) && allowed.some((state) => state.slice(-3) === status),
    `${changing.host} showed ${got} where states ${acknowledged} to ${changing.sent} show ${allowed.join(', ')}`,
  );
}

const development = 'Yunmen development authority';

async function setUp(t: TestContext, dataProcesses: number) {
  const command = [
    'start',
    '--isolation',
    'none',
    '--gateway-tls-port',
    '0',
    '--data-processes',
    String(dataProcesses),
  ];
  const server = await startServer(t, command, temporaryDirectory(t));
  const project = await Project.create(server, 'changing_tls');
  const { groupId: GroupId, cloudApi: call } = project;
  const api = mockApi(GroupId, '/m', 'ANONYMOUS', 'served');
  const RequestConfig = { ...api.RequestConfig, RequestProtocol: 'HTTP,HTTPS' };
  const { ApiId } = await call('CreateApi', { ...api, RequestConfig });
  await call('DeployApi', { GroupId, ApiId, StageName: 'RELEASE', Description: 'once' });
  assert.ok(server.ready.gatewayTls !== null);
  return { server, project, GroupId, call, clients: new Clients(server.ready.gatewayTls) };
}

async function changeUnderLoad(t: TestContext, dataProcesses: number): Promise<void> {
  const { server, project, GroupId, call, clients } = await setUp(t, dataProcesses);
  const change = async (changing: Changing, shows: Seen, write: () => Promise<unknown>) => {
    changing.states.push(shows);
    changing.sent = changing.states.length - 1;
    await write();
    changing.acknowledged = changing.sent;
    await look(clients, changing);
  };
  const made = Array.from({ length: domains }, (_, at) => {
    const host = `domain${at}.example.com`;
    const domain = { GroupId, DomainName: host };
    const changing: Changing = { host, states: [`${development} 404`], acknowledged: 0, sent: 0 };
    const certify = (name: string) =>
      change(changing, `${name} 200`, () =>
        call('SetDomainCertificate', {
          ...domain,
          ...certificateOf(host, name),
        }),
      );
    const steps: ((n: number) => Promise<void>)[] = [
      () => change(changing, `${development} 200`, () => call('SetDomain', domain)),
      (n) => certify(`owner ${n}`),
      (n) => certify(`owner ${n}`),
      async () => {
        const { CertificateId } = await call('DescribeDomain', domain);
        await change(changing, `${development} 200`, () =>
          call('DeleteDomainCertificate', { ...domain, CertificateId }),
        );
      },
      (n) => certify(`owner ${n}`),
      () => change(changing, `${development} 404`, () => call('DeleteDomain', domain)),
    ];
    const run = async () => {
      for (let n = 0; n < changesPerDomain; n++) await steps[n % steps.length]?.(n);
    };
    return { changing, run };
  });
  // One group's policy goes to and fro: a client of TLS 1.1 is served exactly while it is taken.
  const old = String((await call('CreateApiGroup', { GroupName: 'old_tls' }))['GroupId']);
  const policies = async () => {
    for (let n = 0; n < changesPerDomain; n++) {
      const isTaken = n % 2 === 0;
      await call('ModifyApiGroupNetworkPolicy', {
        GroupId: old,
        HttpsPolicy: isTaken ? 'HTTPS2_TLS1_0' : 'HTTPS2_TLS1_2',
      });
      const seen = await clients.ask(`${old}.localhost`, true);
      assert.equal(seen, isTaken ? `${development} 404` : 'refused', `policy ${n}`);
    }
  };
  let isOver = false;
  let requests = 0;
  const kept = [clients.keep(project.host, t), clients.keep(project.host, t)];
  const stable: Changing = { host: project.host, states: [`${development} 200`], acknowledged: 0, sent: 0 };
  const reading = [
    ...[...made.map(({ changing }) => changing), stable].map((changing) => () => look(clients, changing)),
    ...kept.map((send) => async () => assert.equal(await send(), 200)),
  ].map(async (read) => {
    while (!isOver) {
      await read();
      requests += 1;
    }
  });
  const writing = Promise.all([...made.map(({ run }) => run()), policies()]).finally(() => {
    isOver = true;
  });
  await Promise.race([writing, Promise.all(reading)]);
  await Promise.all([writing, ...reading]);
  const changes = made.reduce((sum, { changing }) => sum + changing.acknowledged, changesPerDomain);
  assert.equal(changes, (domains + 1) * changesPerDomain);
  assert.ok(requests > changes, `only ${requests} requests ran meanwhile`);
  t.diagnostic(`${changes} changes under ${requests} requests`);
  assert.equal(await server.stop(), 0);
}

test(
  'no request fails for a change of domains, certificates and policies, and each is in force when it is acknowledged',
  {
    timeout,
  },
  (t) => changeUnderLoad(t, 1),
);

test('so it is when two data processes answer', { timeout }, (t) => changeUnderLoad(t, 2));
