import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeIsolation, type Findings } from './isolation-report.ts';

const bubblewrap: Findings['bubblewrap'] = { tier: 'user', available: ['user', 'none'], missing: [] };
const noBubblewrap: Findings['bubblewrap'] = {
  tier: 'none',
  available: ['none'],
  missing: [{ tier: 'user', why: 'bubblewrap (bwrap) is not installed', install: 'apk add bubblewrap' }],
};
const native = (...found: [string, string][]): Findings['native'] => ({ ok: true, found: new Map(found) });
const notBuilt: Findings['native'] = { ok: false, why: 'there is no compiler' };

const cases: readonly (readonly [title: string, findings: Findings, tier: string | null, raise: RegExp | null])[] = [
  [
    'the strongest tier that holds is chosen, and nothing would raise it',
    { native: native(['strong', 'ok'], ['user', 'ok']), bubblewrap, isRoot: true },
    'strong',
    null,
  ],
  [
    'an ordinary user gets user, and is told to be root',
    { native: native(['strong', 'it needs root'], ['user', 'ok']), bubblewrap, isRoot: false },
    'user',
    /as root/,
  ],
  [
    'root is told what strong misses where no line is known',
    {
      native: native(['strong', 'the sandbox does not hold what it promises: tmp'], ['user', 'ok']),
      bubblewrap,
      isRoot: true,
    },
    'user',
    /misses: the sandbox does not hold what it promises: tmp$/,
  ],
  [
    'without a compiler bubblewrap gives user, and a compiler would raise it',
    { native: notBuilt, bubblewrap, isRoot: true },
    'user',
    /gcc/,
  ],
  [
    'an ordinary user without a compiler is told to be root, too: a compiler alone would raise nothing',
    { native: notBuilt, bubblewrap, isRoot: false },
    'user',
    /^sudo apt-get install -y gcc libc6-dev && sudo yunmen start$/,
  ],
  [
    'root without control groups is told how they are mounted',
    {
      native: native(['strong', 'no control groups with memory and pids are mounted'], ['user', 'ok']),
      bubblewrap,
      isRoot: true,
    },
    'user',
    /: mount -t cgroup2 none \/sys\/fs\/cgroup$/,
  ],
  [
    'root in a container that may not write control groups is told what the container needs',
    {
      native: native(['strong', 'cannot make /sys/fs/cgroup/x: Read-only file system'], ['user', 'ok']),
      bubblewrap,
      isRoot: true,
    },
    'user',
    /: docker run --privileged --cgroupns=private …$/,
  ],
  [
    'root without the rights of root, too',
    {
      native: native(['strong', 'cannot make a process with namespaces: Operation not permitted'], ['user', 'ok']),
      bubblewrap,
      isRoot: true,
    },
    'user',
    /: docker run --privileged …$/,
  ],
  [
    'when sandd holds nothing bubblewrap is taken',
    { native: native(['strong', 'x'], ['user', 'x']), bubblewrap, isRoot: true },
    'user',
    /misses: x/,
  ],
  [
    'where no namespaces can be made the restricted tier is taken, and the container’s own line would raise it',
    { native: native(['strong', 'x'], ['user', 'x'], ['restricted', 'ok']), bubblewrap: noBubblewrap, isRoot: true },
    'restricted',
    /^let the container make namespaces: docker run/,
  ],
  [
    'with nothing at all no tier is chosen, and the line of this system is told',
    { native: notBuilt, bubblewrap: noBubblewrap, isRoot: false },
    null,
    /^apk add bubblewrap$/,
  ],
];

for (const [title, findings, tier, raise] of cases) {
  test(title, () => {
    const report = describeIsolation(findings);
    assert.equal(report.tier, tier);
    if (raise === null) assert.equal(report.raise, null);
    else assert.match(report.raise ?? '', raise);
  });
}

test('each trial tells what was tried, what was seen and whether it held', () => {
  const { trials } = describeIsolation({
    native: native(
      ['landlock', '7'],
      ['strong.kept-root', 'no'],
      ['strong.some-new-trial', 'yes'],
      ['cgroups', '0'],
      ['strong', 'it does not hold'],
    ),
    bubblewrap: noBubblewrap,
    isRoot: true,
  });
  assert.deepEqual(
    trials.map(({ tier, tried, effect, isHeld }) => [tier, tried.slice(0, 14), effect, isHeld]),
    [
      [null, 'build sandd, t', 'it is there', true],
      [null, 'use Landlock', 'version 7', true],
      ['strong', 'write into the', 'it did not hold', false],
      ['strong', 'some-new-trial', 'held', true],
      ['strong', 'use control gr', 'none to be had', false],
      ['strong', 'all of this ti', 'it does not hold', false],
      ['user', 'make a sandbox', 'bubblewrap (bwrap) is not installed', false],
    ],
  );
});

test('a firewall that drops what functions send is told of, with the line that lets it pass, whatever the tier', () => {
  const told = (value: string) =>
    describeIsolation({
      native: native(['strong', 'ok'], ['network.forwarding', value], ['network', 'ok']),
      bubblewrap,
      isRoot: true,
    });
  assert.equal(told('yes').forward, null);
  const { trials, forward } = told('no');
  assert.match(forward ?? '', /^iptables -I FORWARD -i yunmen\+ -j ACCEPT && [^\n]+$/);
  const trial = trials.find(({ tried }) => tried.startsWith('reach a host beyond'));
  assert.deepEqual([trial?.isHeld, trial?.effect.startsWith('the firewall of this machine')], [false, true]);
});

test('what carries packets of functions is told, and without it what to install', () => {
  const effect = (...found: [string, string][]) =>
    describeIsolation({ native: native(['user', 'ok'], ...found), bubblewrap, isRoot: false }).trials.find(
      ({ tried }) => tried === 'make networks for functions',
    )?.effect;
  assert.match(effect(['network-by', 'pasta'], ['network', 'ok']) ?? '', /pasta carries what they send$/);
  assert.match(effect(['network-by', 'kernel'], ['network', 'ok']) ?? '', /the kernel forwards/);
  assert.equal(effect(['network', 'no pasta (apt-get)']), 'no pasta (apt-get): they share the host’s');
  const closed = effect(['network-none', 'yes'], ['network', 'no pasta (apt-get)']);
  assert.match(closed ?? '', /^no pasta \(apt-get\): they share the host’s, or with --network none /);
});
