// What the data process can make sandd do with the host's files: nothing, whatever it names and whatever it puts into the
// directories that are its own.
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { randomHex } from '../../src/base/ids.ts';
import { connectSandd, findSandd, type IsolationTier, probeSandd, startSandd } from '../../src/functions/index.ts';
import type { SanddOwner } from '../../src/functions/launcher/sandd-messages.ts';

const found = await findSandd();
const path = found.ok ? found.path : '';
const results: ReadonlyMap<string, string> = found.ok ? await probeSandd(path) : new Map();

function missing(tier: IsolationTier): string | false {
  if (!found.ok) return found.why;
  const result = results.get(tier) ?? 'the probe did not end';
  return result === 'ok' ? false : result;
}

type Named = { readonly code?: string; readonly from?: string; readonly to?: string; readonly script?: string };

/** A server's places with a secret of the host beside them; `start` is what a data process may try. */
async function openPlaces(tier: IsolationTier, owner: SanddOwner | null = null) {
  const base = mkdtempSync('/tmp/yunmen-paths-');
  const runDir = mkdtempSync('/tmp/yunmen-');
  const packages = `${base}/packages`;
  for (const directory of [packages, `${packages}/code`, `${base}/private`]) mkdirSync(directory);
  if (owner !== null) chmodSync(base, 0o755);
  writeFileSync(`${base}/private/secret`, 'the secret');
  const token = randomHex(32);
  const sandd = await startSandd({ path, runDir, token, tier, owner, report: () => {} });
  assert.equal(await sandd.allow(packages), null);
  const launcher = await connectSandd({ runDir, token, interpreters: async () => [], onGone: () => {} });
  const servers: Server[] = [];
  let output = '';
  const instance = () => {
    const instanceId = `c-${randomHex(4)}-${randomHex(10)}`;
    const socketDirectory = `${runDir}/i/${instanceId}`;
    return { instanceId, socketDirectory };
  };
  const listen = async (at: string, take: (socket: Socket) => void = () => {}) => {
    const server = createServer(take);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(at, resolve));
  };
  const order = (at: ReturnType<typeof instance>, { code, from, to, script }: Named, relay?: 'in') =>
    launcher.start({
      ...at,
      argv: ['/bin/sh', '-c', script ?? 'echo ran; cat /shown/secret /code/secret'],
      environment: {},
      codeDirectory: code ?? `${packages}/code`,
      socketPath: '/run/yunmen/f.sock',
      readOnly: from === undefined ? [] : [{ from, to: to ?? '/shown' }],
      token: randomHex(32),
      memoryMb: 128,
      ...(relay === undefined ? {} : { relay: { kind: relay, port: 9000 } }),
    });
  return {
    base,
    packages,
    runDir,
    launcher,
    instance,
    listen,
    order,
    output: () => output,
    async start(named: Named) {
      const at = instance();
      mkdirSync(at.socketDirectory);
      await listen(`${at.socketDirectory}/f.sock`);
      const said = Promise.withResolvers<void>();
      await listen(`${at.socketDirectory}/l.sock`, (socket) => {
        socket.on('data', (chunk) => {
          output += chunk.toString();
        });
        socket.on('close', () => said.resolve());
      });
      const ended = new Promise<void>((resolve) => launcher.onExited(() => resolve()));
      await order(at, named);
      await Promise.all([said.promise, ended]);
    },
    async close() {
      for (const server of servers) server.close();
      launcher.close();
      assert.equal(await sandd.exited, 'exit code 0');
      for (const directory of [base, runDir]) rmSync(directory, { recursive: true, force: true });
    },
  };
}

for (const tier of ['user', 'strong'] as const) {
  const skip = missing(tier);

  test(`shows code and binds of the directories that control named (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    mkdirSync(`${places.packages}/layer`);
    writeFileSync(`${places.packages}/layer/secret`, 'of the layer\n');
    await places.start({ from: `${places.packages}/layer` });
    assert.match(places.output(), /^ran\nof the layer/);
    await places.close();
  });

  test(`shows nothing else of the host, whether named or reached by links (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    const { base, packages } = places;
    symlinkSync(`${base}/private`, `${packages}/link`);
    symlinkSync('../private', `${packages}/code/inner`);
    for (const wrong of [
      `${base}/private`,
      `${packages}/link`,
      `${packages}/code/inner`,
      `${packages}2`,
      base,
      '/etc',
    ]) {
      await assert.rejects(places.start({ code: wrong }), /not allowed/, wrong);
      await assert.rejects(places.start({ from: wrong }), /not allowed/, wrong);
    }
    assert.equal(places.output(), '');
    await places.close();
  });

  test(`shows nothing of a directory that has taken the place of an allowed one (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    const { base, packages } = places;
    renameSync(packages, `${base}/before`);
    symlinkSync(`${base}/private`, packages);
    mkdirSync(`${base}/private/code`);
    await assert.rejects(places.start({}), /not allowed/);
    await places.close();
  });

  test(`mounts nothing through links of the root that it builds (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    for (const to of ['/dev/fd/0/x', '/dev/stdin', '/bin/x', '/var/tmp/x/y'])
      await assert.rejects(places.start({ from: places.packages, to }), /cannot (make|mount)/, to);
    await places.close();
  });

  test(`connects no output to a socket that is not the data process's (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    let connections = 0;
    await places.listen(`${places.base}/other.sock`, () => {
      connections += 1;
    });
    const at = places.instance();
    mkdirSync(at.socketDirectory);
    await places.listen(`${at.socketDirectory}/f.sock`);
    symlinkSync(`${places.base}/other.sock`, `${at.socketDirectory}/l.sock`);
    await assert.rejects(places.order(at, {}), /log socket/);
    unlinkSync(`${at.socketDirectory}/l.sock`);
    writeFileSync(`${at.socketDirectory}/l.sock`, '');
    await assert.rejects(places.order(at, {}), /log socket/);

    const elsewhere = places.instance();
    mkdirSync(`${places.base}/elsewhere`);
    await places.listen(`${places.base}/elsewhere/l.sock`, () => {
      connections += 1;
    });
    symlinkSync(`${places.base}/elsewhere`, elsewhere.socketDirectory);
    await assert.rejects(places.order(elsewhere, {}), /socket directory/);
    assert.equal(connections, 0);
    await places.close();
  });

  test(`removes nothing outside of its run directory when it ends (tier ${tier})`, { skip }, async () => {
    const places = await openPlaces(tier);
    symlinkSync(`${places.base}/private`, `${places.runDir}/i/link`);
    const kept = mkdtempSync('/tmp/yunmen-kept-');
    writeFileSync(`${kept}/file`, '');
    symlinkSync(kept, `${places.runDir}/i/other`);
    await places.close();
    assert.ok(existsSync(`${kept}/file`));
    rmSync(kept, { recursive: true });
  });
}

/** The mode, the user and the group of a file. */
function ownership(file: string): readonly number[] {
  const { mode, uid, gid } = lstatSync(file);
  return [mode & 0o7777, uid, gid];
}

test('gives nothing away that was put in the place of what is given away', {
  skip: missing('user') || (process.getuid?.() === 0 ? false : 'only root has another user to give to'),
}, async () => {
  const owner = { uid: 12_345, gid: 12_345 };
  const places = await openPlaces('user', owner);
  const other = `${places.base}/other.sock`;
  await places.listen(other);
  const before = ownership(other);
  const at = places.instance();
  mkdirSync(at.socketDirectory);
  for (const name of ['f.sock', 'l.sock']) {
    await places.listen(`${at.socketDirectory}/${name}`);
    lchownSync(`${at.socketDirectory}/${name}`, owner.uid, owner.gid);
  }
  linkSync(other, `${at.socketDirectory}/s.sock`);

  const ownBefore = ownership(at.socketDirectory);
  await assert.rejects(
    places.order(at, {}, 'in'),
    /socket directory: Operation not permitted/,
    'it is not of its user',
  );
  assert.deepEqual(ownership(at.socketDirectory), ownBefore);

  lchownSync(at.socketDirectory, owner.uid, owner.gid);
  await places.order(at, { script: 'sleep 60' }, 'in');
  assert.deepEqual(ownership(other), before);
  assert.deepEqual(ownership(`${at.socketDirectory}/s.sock`).slice(0, 2), [0o600, owner.uid]);
  assert.deepEqual(
    readdirSync(places.runDir).filter((name) => name === 's.sock'),
    [],
  );
  await places.close();
});
