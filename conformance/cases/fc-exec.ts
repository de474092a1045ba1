// Commands in running instances, over the WebSocket of the official client, in the three versions of Function Compute.
import assert from 'node:assert/strict';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe } from 'node:test';
import { type ExecOptions, type FcVersion, model } from '../kit/clients.ts';
import { at, textAt } from '../kit/read.ts';
import { nodeReturning, type World } from '../kit/world.ts';

const code = nodeReturning('String(process.pid)');

export function execCases(world: World): void {
  for (const version of ['2016-08-15', '2021-04-06', '2023-03-30'] as const) execCasesOf(world, version);
}

function execCasesOf(world: World, version: FcVersion): void {
  const exec = world.clients.exec(version);
  const newInstance = async () => {
    const isThird = version === '2023-03-30';
    const names = isThird ? [await world.newFunction3(code)] : await world.newFunction(code);
    if (isThird) {
      const answer = await world.fc3('invokeFunction', names[0], model('3', 'InvokeFunctionRequest', {}));
      const instanceId = textAt(answer, 'headers.x-fc-instance-id');
      return { names, instanceId, pid: await text(at(answer, 'body') as Readable) };
    }
    const answer = await world.fc2('invokeFunction', ...names, 'e');
    return { names, instanceId: textAt(answer, 'headers.x-fc-instance-id'), pid: String(at(answer, 'data')) };
  };

  describe(`commands in instances of ${version}`, () => {
    world.log.covers(
      [`FC/${version}/InstanceExec`],
      'run beside the function, by pipes and in a terminal',
      async () => {
        const { names, instanceId, pid } = await newInstance();
        const run = (options: ExecOptions) => exec(names, instanceId, options);
        const pipes = { tty: false, stdin: false, stderr: true };

        const shell = 'echo "$FC_INSTANCE_ID"; echo fault >&2; exit 3';
        const apart = await run({ ...pipes, command: ['sh', '-c', shell] });
        assert.deepEqual(apart, {
          stdout: `${instanceId}\n`,
          stderr: 'fault\n',
          closed: [1000, 'exit code 3'],
          error: null,
        });

        const beside = await run({ ...pipes, command: ['sh', '-c', `kill -0 ${pid} && echo "$PPID ünïcode"`] });
        assert.match(beside.stdout, /^\d+ ünïcode\n$/);

        const terminal = await run({ command: '/bin/sh', input: 'test -t 0 && echo "a $((40 + 2))"\nexit 5\n' });
        assert.match(terminal.stdout, /a 42\r\n/);
        assert.deepEqual(terminal.closed, [1000, 'exit code 5']);

        const missing = await run({ ...pipes, command: 'no-such-program' });
        assert.equal(missing.closed[0], 1011);
        assert.match(missing.closed[1], /cannot run no-such-program/);

        const idle = await run({ ...pipes, command: ['sleep', '100'], idleTimeout: 1 });
        assert.deepEqual(idle.closed, [1000, 'idle for too long']);

        const other = await exec(names, 'c-00000000-00000000000000000000', { command: 'true' });
        assert.match(other.error ?? '', /instance 'c-00000000-00000000000000000000' does not run/);
      },
    );
  });
}
