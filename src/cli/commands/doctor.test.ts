import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IsolationReport } from '../../model/isolation-report.ts';
import { doctor } from './doctor.ts';

const report: IsolationReport = {
  trials: [
    { tier: null, tried: 'use Landlock', effect: 'version 7', isHeld: true },
    { tier: 'strong', tried: 'mount', effect: 'not\u001b[2J refused\nat all', isHeld: false },
  ],
  tier: 'user',
  launcher: 'sandd',
  raise: 'start as root',
  forward: null,
};

async function run(found: IsolationReport, json: boolean) {
  let stdout = '';
  const exitCode = await doctor(
    { json },
    {
      startServer: () => Promise.reject(new Error('no server is needed')),
      discoverPython: () => Promise.resolve(false),
      probeIsolation: () => Promise.resolve(found),
      version: '1',
      stdout: { write: (text) => (stdout += text.toString()) },
      stderr: { write: () => {} },
      env: {},
      cwd: '/',
    },
  );
  return { exitCode, stdout };
}

test('prints what was tried, its effect and the verdict, then the tier and the line that would raise it', async () => {
  assert.deepEqual(await run(report, false), {
    exitCode: 0,
    stdout: [
      'tier    tried         effect                  verdict',
      'all     use Landlock  version 7               ok',
      'strong  mount         not?[2J refused at all  NO',
      '',
      'yunmen start would choose tier user; instances are started by sandd, the native launcher.',
      'This would raise it: start as root',
      '',
    ].join('\n'),
  });
});

test('says when there is nothing stronger', async () => {
  const { stdout } = await run({ ...report, tier: 'strong', raise: null }, false);
  assert.match(stdout, /There is no stronger tier\.\n$/);
});

test('says what would let functions reach the internet', async () => {
  const { stdout } = await run({ ...report, forward: 'iptables -I FORWARD' }, false);
  assert.match(stdout, /\nThis would let functions reach what is beyond this machine: iptables -I FORWARD\n$/);
});

test('fails when functions cannot be isolated', async () => {
  const { exitCode, stdout } = await run({ ...report, tier: null, raise: 'apk add bubblewrap' }, false);
  assert.equal(exitCode, 1);
  assert.match(stdout, /would refuse.*--isolation none/);
});

test('prints the whole report as one object with --json', async () => {
  const { exitCode, stdout } = await run(report, true);
  assert.equal(exitCode, 0);
  assert.deepEqual(JSON.parse(stdout), report);
});
