// The program of custom runtimes and containers, from what either generation's requests say.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverProgramOf } from './server-program.ts';

test('a built-in runtime has no program of its own', () => {
  assert.equal(serverProgramOf({ runtime: 'python3.10', caPort: 9000 }), undefined);
});

test('a custom runtime of FC 2 listens at caPort, one of FC 3 where its own settings say, else both at 9000', () => {
  assert.equal(serverProgramOf({ runtime: 'custom', caPort: 8080 })?.port, 8080);
  assert.equal(serverProgramOf({ runtime: 'custom.debian12', customRuntimeConfig: { port: 7000 } })?.port, 7000);
  assert.equal(serverProgramOf({ runtime: 'custom.debian10' })?.port, 9000);
});

test('command and arguments of a custom runtime are lists', () => {
  const found = serverProgramOf({
    runtime: 'custom',
    customRuntimeConfig: { command: ['java'], args: ['-jar', 'a.jar'] },
  });
  assert.deepEqual([found?.command, found?.args, found?.image], [['java'], ['-jar', 'a.jar'], null]);
});

for (const [what, config, command, args] of [
  ['FC 2 as JSON texts', { image: 'a', command: '["/bin/run"]', args: '["-p","1"]' }, ['/bin/run'], ['-p', '1']],
  ['FC 2 as a plain text', { image: 'a', command: '/bin/run' }, ['/bin/run'], []],
  ['FC 3 as entry point and command', { image: 'a', entrypoint: ['/bin/run'], command: ['-p'] }, ['/bin/run'], ['-p']],
  ['FC 3 with a command alone', { image: 'a', command: ['-p'] }, [], ['-p']],
] as const) {
  test(`what starts a container is told by ${what}`, () => {
    const found = serverProgramOf({ runtime: 'custom-container', customContainerConfig: config as never });
    assert.deepEqual([found?.command, found?.args, found?.image], [command, args, { reference: 'a', isServer: true }]);
  });
}

test('a container without a server is told apart', () => {
  const customContainerConfig = { image: 'a', webServerMode: false };
  assert.equal(serverProgramOf({ runtime: 'custom-container', customContainerConfig })?.image?.isServer, false);
});

test('a health check takes the documented defaults, in either place, and without a URL there is none', () => {
  const expected = {
    httpGetUrl: '/well',
    initialDelayMs: 0,
    periodMs: 3_000,
    timeoutMs: 1_000,
    failureThreshold: 3,
    successThreshold: 1,
  };
  const fc2 = serverProgramOf({ runtime: 'custom', customHealthCheckConfig: { httpGetUrl: 'well' } });
  assert.deepEqual(fc2?.healthCheck, expected);
  const fc3 = { healthCheckConfig: { httpGetUrl: '/well', periodSeconds: 10 } };
  assert.deepEqual(serverProgramOf({ runtime: 'custom', customRuntimeConfig: fc3 })?.healthCheck, {
    ...expected,
    periodMs: 10_000,
  });
  assert.equal(
    serverProgramOf({ runtime: 'custom', customHealthCheckConfig: { periodSeconds: 1 } })?.healthCheck,
    null,
  );
});
