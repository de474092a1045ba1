import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sandboxCommand } from './bubblewrap.ts';

const setup = { bubblewrap: '/usr/bin/bwrap', user: { kind: 'mapped' }, etcDirectory: '/run/etc' } as const;
const contents = {
  argv: ['/home/u/.pyenv/versions/3.10/bin/python3', '/var/fc/runtime/python/bootstrap.py'],
  environment: { SECRET: 'very secret' },
  readOnly: [
    { from: '/usr', to: '/usr' },
    { from: '/home/u/.pyenv/versions/3.10', to: '/home/u/.pyenv/versions/3.10' },
  ],
  codeDirectory: '/data/code',
  socketDirectory: '/tmp/yunmen-x/i/c-1',
};

test('no part of the environment stands on the command line', () => {
  const { args, hidden } = sandboxCommand(setup, contents);
  assert.ok(!args.join(' ').includes('secret'));
  assert.ok(hidden.includes('--clearenv\0--setenv\0SECRET\0very secret\0'));
});

test('everything of the host is shown read-only, the instance dies with us, and all rights are dropped', () => {
  for (const user of [{ kind: 'mapped' }, { kind: 'dropped', setpriv: '/usr/bin/setpriv' }] as const) {
    const words = sandboxCommand({ ...setup, user }, contents)
      .hidden.toString()
      .split('\0');
    for (const word of ['--bind', '--dev-bind', '--bind-try', '--share-net']) assert.ok(!words.includes(word), word);
    for (const word of ['--die-with-parent', '--unshare-pid', '--unshare-ipc', '--new-session']) {
      assert.ok(words.includes(word), word);
    }
    assert.equal(words[words.indexOf('--cap-drop') + 1], 'ALL');
  }
});

test('directories above what is shown are made first, so that another user may pass them', () => {
  const words = sandboxCommand(setup, contents).hidden.toString().split('\0');
  const bind = words.indexOf('/home/u/.pyenv/versions/3.10');
  for (const directory of ['/home', '/home/u', '/home/u/.pyenv', '/home/u/.pyenv/versions']) {
    const at = words.indexOf(directory);
    assert.ok(at > 0 && at < bind && words[at - 1] === '--dir', directory);
  }
});

test('as root the program runs through setpriv as another user without any capability', () => {
  const { args } = sandboxCommand({ ...setup, user: { kind: 'dropped', setpriv: '/usr/bin/setpriv' } }, contents);
  const line = args.join(' ');
  assert.match(
    line,
    /-- \/usr\/bin\/setpriv --reuid 10003 --regid 10003 --clear-groups .*--bounding-set=-all --no-new-privs -- \/home/,
  );
});
