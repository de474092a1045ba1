// What every launcher with spares promises of them, whatever the tier. Run by tests/contract/ beside suite.ts.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type LaunchSpec, startLine } from './port.ts';
import { type LauncherSuite, openBench } from './suite.ts';

type Bench = Awaited<ReturnType<typeof openBench>>;
const spareMb = 64;

/** Says what it sees before it has a function, then waits, then says it again. */
const look = `
look() { echo "code: $(ls /code 2>/dev/null | tr '\\n' ' ')"; echo "opt: $(ls /opt | tr '\\n' ' ')"; }
look; echo waiting; read line; echo "$line"; look; cat "$CODE/own.txt"
cd /; cd "$CODE" && (echo x > own.txt) 2>/dev/null && echo "wrote own.txt"; (echo x > new.txt) 2>/dev/null && echo "wrote new.txt"
echo done`;

/** A package that anybody may write to where it lies; the bench's code directory is where all packages are. */
function makePackage(bench: Bench, name: string): string {
  const directory = `${bench.codeDirectory}/${name}`;
  mkdirSync(directory);
  writeFileSync(`${directory}/own.txt`, `code of ${name}\n`);
  chmodSync(directory, 0o777);
  chmodSync(`${directory}/own.txt`, 0o666);
  return directory;
}

async function startWaiting(bench: Bench, script: string, code: string) {
  const spec: LaunchSpec = { ...bench.spec(['/bin/sh', '-c', script], { CODE: code }), memoryMb: spareMb };
  const output = bench.outputOf(spec);
  await bench.launcher.startSpare(spec);
  await output.until('waiting\n');
  return { spec, output };
}

/** Runs the contract; `limits`: it bounds what one instance takes. */
export function testSpares({ name, tier, limits, skip, open }: LauncherSuite): void {
  if (tier === 'restricted') return; // without mounts a spare cannot be given code
  const isPrivate = tier === 'user' || tier === 'strong';
  describe(`launcher contract, spares: ${name}`, { skip }, () => {
    const assignmentOf = (spec: LaunchSpec, codeDirectory: string, memoryMb = 128) => ({
      instanceId: spec.instanceId,
      codeDirectory,
      memoryMb,
      startLine: startLine(spec, { A: 'b' }),
    });

    test('a spare waits, and gets its start line and its code, which it cannot write', async (t) => {
      const bench = await openBench(t, open, tier);
      const [own] = [makePackage(bench, 'first'), makePackage(bench, 'second')];
      const { spec, output } = await startWaiting(bench, look, isPrivate ? '/code' : own);
      await bench.launcher.assign(assignmentOf(spec, own));
      const [before = '', after = ''] = (await output.all).split('waiting\n');
      const [line = '', ...seen] = after.split('\n');
      assert.deepEqual(JSON.parse(line), {
        socket: spec.socketPath,
        token: spec.token,
        log: null,
        environment: { A: 'b' },
      });
      assert.ok(seen.includes('code of first') && seen.includes('done'), after);
      if (isPrivate) {
        assert.doesNotMatch(before, /code:.*own/);
        assert.ok(seen.includes('code: own.txt ') && seen.includes('opt: '), after);
        assert.doesNotMatch(after, /wrote/);
      }
    });

    test('a spare can be given one function, and only a spare can', async (t) => {
      const bench = await openBench(t, open, tier);
      const own = makePackage(bench, 'first');
      const { spec, output } = await startWaiting(bench, 'echo waiting; read line; echo got it; sleep 600', own);
      const assignment = assignmentOf(spec, own);
      await bench.launcher.assign(assignment);
      await output.until('got it');
      await assert.rejects(bench.launcher.assign(assignment), /no such spare/);
      const other = bench.spec(['/bin/sh', '-c', 'sleep 600']);
      await bench.launcher.start(other);
      await assert.rejects(bench.launcher.assign(assignmentOf(other, own)), /no such spare/);
      await assert.rejects(
        bench.launcher.assign({ ...assignment, instanceId: `c-01234567-${'0'.repeat(20)}` }),
        /no such spare/,
      );
    });

    // Where no code is mounted, what is not there shows when the function is loaded.
    if (isPrivate)
      test('code that is not there cannot be given, and the spare can be stopped', async (t) => {
        const bench = await openBench(t, open, tier);
        const { spec } = await startWaiting(bench, 'echo waiting; read line; sleep 600', '/code');
        await assert.rejects(bench.launcher.assign(assignmentOf(spec, `${bench.codeDirectory}/none`)), /cannot open/);
        const exit = bench.exitOf(spec.instanceId);
        await bench.launcher.stop(spec.instanceId, 0);
        await exit;
      });

    test('a spare that waits ends when it is stopped, and tells its exit', async (t) => {
      const bench = await openBench(t, open, tier);
      const { spec } = await startWaiting(bench, 'echo waiting; read line', bench.codeDirectory);
      const exit = bench.exitOf(spec.instanceId);
      await bench.launcher.stop(spec.instanceId, 0);
      assert.equal((await exit).instanceId, spec.instanceId);
    });

    if (isPrivate) {
      const startWithout = async (bench: Bench) => {
        const spec: LaunchSpec = { ...bench.spec([]), environment: {}, memoryMb: spareMb };
        const output = bench.outputOf(spec);
        await bench.launcher.startSpare(spec);
        return { spec, output };
      };
      const program = (script: string) => ({
        argv: ['/bin/sh', '-c', script, 'a b', ''],
        environment: { A: 'b c', E: '' },
      });

      test('a spare without a program runs the one that it is assigned: arguments, environment, code, and no input', async (t) => {
        const bench = await openBench(t, open, tier);
        const own = makePackage(bench, 'first');
        const { spec, output } = await startWithout(bench);
        const script =
          'pwd; echo "$0|$1|$A|$E|$(cat)|$(cat own.txt)"; (echo x > own.txt) 2>/dev/null && echo wrote; ls /opt; exit 7';
        const exit = bench.exitOf(spec.instanceId);
        await bench.launcher.assign({ ...assignmentOf(spec, own), startLine: '', program: program(script) });
        assert.equal(await output.all, '/code\na b||b c|||code of first\n');
        assert.equal((await exit).code, 7);
      });

      test('an assignment to a spare that does not wait for it is refused', async (t) => {
        const bench = await openBench(t, open, tier);
        const own = makePackage(bench, 'first');
        const { spec } = await startWithout(bench);
        await assert.rejects(bench.launcher.assign(assignmentOf(spec, own)), /something else/);
        const waiting = await startWaiting(bench, 'echo waiting; read line', '/code');
        const assignment = { ...assignmentOf(waiting.spec, own), startLine: '', program: program('exit') };
        await assert.rejects(bench.launcher.assign(assignment), /something else/);
      });

      test('a program that cannot be run is told by its assignment, and nothing of the spare is left', async (t) => {
        const bench = await openBench(t, open, tier);
        const own = makePackage(bench, 'first');
        const { spec } = await startWithout(bench);
        const exit = bench.exitOf(spec.instanceId);
        const nothing = { argv: ['/code/none'], environment: {} };
        const assigned = bench.launcher.assign({ ...assignmentOf(spec, own), startLine: '', program: nothing });
        await assert.rejects(assigned, /cannot run \/code\/none: No such file/);
        await exit;
        const { spec: other } = await startWithout(bench);
        const long = { argv: ['/bin/true'], environment: { LONG: 'x'.repeat(33 * 1024) } };
        const refused = bench.launcher.assign({ ...assignmentOf(other, own), startLine: '', program: long });
        await assert.rejects(refused, /too long/);
      });
    }

    if (limits && isPrivate)
      test('the memory of the function bounds it, not that of the spare', async (t) => {
        for (const [memoryMb, isEnough] of [
          [32, false],
          [256, true],
        ] as const) {
          const bench = await openBench(t, open, tier);
          const own = makePackage(bench, 'first');
          const fill = 'x=$(head -c 48000000 /dev/zero | tr "\\0" x); sleep 0.5; echo done';
          const { spec, output } = await startWaiting(bench, `echo waiting; read line; ${fill}`, '/code');
          const exit = bench.exitOf(spec.instanceId);
          await bench.launcher.assign(assignmentOf(spec, own, memoryMb));
          const { isOutOfMemory } = await exit;
          assert.equal(isOutOfMemory, !isEnough, `${memoryMb} MB: ${await output.all}`);
          await bench.close();
        }
      });
  });
}
