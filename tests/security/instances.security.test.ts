// Attacks of functions on what is around their instance, by name (attack-list.ts), in each tier that can run here: first
// in tier none, where they succeed (so they are real), then in the stronger ones, where they must not.
//
// Attacks over the network are in networks.security.test.ts.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findSandd, isolationTiers, probeSandd } from '../../src/functions/index.ts';
import { probeAsOrdinary } from '../harness/ordinary.ts';
import { leftovers, processTree, temporaryDirectory } from '../harness/server.ts';
import { type Attack, attacks } from './attack-list.ts';
import { AttackServer, attacksDirectory, type Told, told } from './attack-server.ts';
import { packageAttacks, startupAttacks } from './package-attacks.ts';

const isRoot = process.getuid?.() === 0;
const sandd = await findSandd();
const probed = sandd.ok ? await probeSandd(sandd.path) : new Map<string, string>();
/** What sandd finds as an ordinary user, where we are root and so can be one. */
const ordinary = sandd.ok && isRoot ? probeAsOrdinary(sandd.path) : new Map<string, string>();
const tiers = ['none', ...['restricted', 'user', 'strong'].filter((tier) => probed.get(tier) === 'ok')];

const capabilities = /CapEff:\s+(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';

function canRun({ needs }: Attack): boolean {
  return needs.every((need) => {
    switch (need) {
      case 'root':
        return isRoot;
      case 'landlock':
        return Number(probed.get('landlock')) >= 6;
      case 'resources':
        return ((BigInt(`0x${capabilities}`) >> 24n) & 1n) === 1n;
      case 'linux-6.17': {
        const [major = 0, minor = 0] = release().split('.').map(Number);
        return major > 6 || (major === 6 && minor >= 17);
      }
      default:
        return existsSync(need);
    }
  });
}

/** The attack's code as a plain Python that has the whole machine; `bare` listens and guards nothing. */
async function attackOutside(attack: Pick<Attack, 'subject' | 'act'>, directory: string, given: object): Promise<Told> {
  const bare = join(directory, 'bare.sock');
  const listener = createServer((socket) => socket.on('error', () => {}).resume());
  await new Promise<void>((resolve) => listener.listen(bare, resolve));
  const order = JSON.stringify({ subject: attack.subject, attack: attack.act, given: { ...given, bare } });
  const run = 'import sys, kit; print(kit.handler(sys.argv[1], None))';
  const options = { cwd: fileURLToPath(attacksDirectory), env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } };
  try {
    return await new Promise<Told>((resolve) => {
      execFile('python3', ['-c', run, order], { ...options, maxBuffer: 256 << 20 }, (error, stdout, stderr) => {
        const answer = stdout.slice(stdout.lastIndexOf('{"kind"'));
        resolve(answer.startsWith('{') ? told(JSON.parse(answer)) : { kind: 'ended', said: `${error} ${stderr}` });
      });
    });
  } finally {
    listener.close();
  }
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Pids of what runs with this as an argument. */
function withArgument(text: string): number[] {
  return processTree(1).flatMap(({ pid }) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(text) ? [pid] : [];
    } catch {
      return []; // it has gone meanwhile
    }
  });
}

test('the tiers that can run here are attacked, all of them in CI', (t) => {
  t.diagnostic(`tiers: ${tiers.join(', ')}${sandd.ok ? '' : ` (${sandd.why})`}`);
  const unfit = attacks.filter((attack) => !canRun(attack)).map(({ title }) => title);
  if (unfit.length > 0) t.diagnostic(`not to be had here: ${unfit.join('; ')}`);
  // A laptop may lack what a tier needs; where changes are judged all of them must be attacked.
  const needed =
    process.env['CI'] !== 'true' ? ['none'] : isRoot ? [...isolationTiers] : ['none', 'restricted', 'user'];
  assert.deepEqual(
    needed.filter((tier) => !tiers.includes(tier)),
    [],
  );
  if (process.env['CI'] === 'true' && isRoot) {
    assert.deepEqual([ordinary.get('restricted'), ordinary.get('user')], ['ok', 'ok'], 'of an ordinary user');
  }
});

/** A server of root's, if we are root, in each tier; and those that an ordinary user may have, attacked by the same list. */
const places = [
  ...tiers.map((tier) => ({ title: `tier ${tier}`, tier, isOrdinary: false })),
  ...['restricted', 'user']
    .filter((tier) => ordinary.get(tier) === 'ok')
    .map((tier) => ({ title: `tier ${tier} of an ordinary user`, tier, isOrdinary: true })),
];

for (const { title: titleOfPlace, tier, isOrdinary } of places) {
  describe(`an instance in ${titleOfPlace}`, () => {
    let place: AttackServer;
    before(async () => {
      place = await AttackServer.start(tier, isOrdinary);
    });
    after(() => place.close());

    for (const attack of attacks.filter(canRun)) {
      const isOpen = attack.needsOwnUser && isOrdinary && tier === 'restricted';
      const isHeldHere = tier === 'strong' || (tier !== 'none' && attack.held === 'sandboxes' && !isOpen);
      const isHeld = attack.held === 'always' || isHeldHere;
      test(`${attack.title}: ${isHeld ? 'no' : 'yes'}`, async (t) => {
        if (attack.held === 'always' && tier === 'none') {
          const { kind, said } = await attackOutside(attack, temporaryDirectory(t), place.given);
          assert.equal(kind, 'succeeded', `outside of the platform: ${said}`);
        }
        const { kind, said } = await place.attack(attack);
        t.diagnostic(`${kind}: ${said.slice(0, 300)}`);
        // Who takes too much, or breaks the protocol, is ended; anybody else must be told no.
        const mayEnd = attack.subject === 'resources' || attack.subject === 'endpoints';
        if (isHeld) assert.ok(kind === 'refused' || (mayEnd && kind === 'ended'), `${kind}: ${said}`);
        // Where memory is looked at from time to time that may end it first.
        else assert.ok(kind === 'succeeded' || (isOpen && mayEnd && kind === 'ended'), said);
        await place.isUnharmed();
      });
    }

    // Held in every tier; the plain Python shows that the daemon is real.
    test('outlives its instance: no', async (t) => {
      const seconds = () => `${7000 + Math.floor(Math.random() * 1000)}.${process.hrtime.bigint() % 1_000_000n}`;
      const outlive = { subject: 'processes', act: 'outlive', isSmall: false };
      if (tier === 'none') {
        const outside = seconds();
        await attackOutside(outlive, temporaryDirectory(t), { seconds: outside });
        const left = withArgument(outside);
        for (const pid of left) process.kill(pid, 'SIGKILL');
        assert.equal(left.length, 1, 'outside of the platform it lives on');
      }
      const inside = seconds();
      const { kind, said } = await place.attack(outlive, { seconds: inside });
      assert.equal(kind, 'ended', said);
      const marks = processTree(1).filter(({ pid }) => withArgument(inside).includes(pid));
      assert.deepEqual(await leftovers(marks, [], 2_000), []);
      assert.deepEqual(withArgument(inside), []);
      await place.isUnharmed();
    });

    // Held in every tier: output is taken and forgotten.
    test('fills the server with its log: no', async (t) => {
      if (tier === 'none') {
        const { kind } = await attackOutside({ subject: 'resources', act: 'flood_log' }, temporaryDirectory(t), {});
        assert.equal(kind, 'succeeded', 'outside of the platform all of it arrives');
      }
      const { pids } = place.server.facts;
      const before = residentMb(pids.data) + residentMb(pids.control);
      await place.attack({ subject: 'resources', act: 'flood_log', isSmall: false });
      const grown = residentMb(pids.data) + residentMb(pids.control) - before;
      assert.ok(grown < 128, `grown by ${grown} MB of 256`);
      assert.ok(place.server.log().length < 500_000, 'nor does the server repeat it');
      await place.isUnharmed();
    });

    for (const { title, attack } of packageAttacks) {
      test(`a package ${title}: no`, async (t) => {
        await attack(place, temporaryDirectory(t));
        await place.isUnharmed();
      });
    }

    for (const { title, attack } of startupAttacks) {
      test(`a package ${title}: ${tier === 'none' ? 'yes' : 'no'}`, async () => {
        const found = await attack(place);
        assert.equal(found, tier === 'none' ? 'reached' : 'kept in');
        await place.isUnharmed();
      });
    }
  });
}
