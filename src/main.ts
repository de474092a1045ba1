// The program: the command line, and the server that it may start. Nobody imports this file.
import { readFileSync } from 'node:fs';
import { runCli } from './cli/index.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

let isServer = false;
// Whoever reads our output may go before it ends, as in `yunmen logs | head`. That is no failure; a server goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (!isServer) process.exit();
  });
}

process.exitCode = await runCli(process.argv.slice(2), {
  // The server's modules are loaded only when one is started: `yunmen call` needs none of them.
  async startServer(options) {
    isServer = true;
    const [{ startServer }, { createLog }] = await Promise.all([import('./server.ts'), import('./base/log.ts')]);
    const log = createLog((line) => process.stderr.write(line), 'text', Date.now);
    return await startServer(options, log);
  },
  async discoverPython() {
    const { findInterpreters } = await import('./functions/index.ts');
    return (await findInterpreters()).some(
      ({ language, version }) => language === 'python' && version.startsWith('3.'),
    );
  },
  async findMissingDebugger(question) {
    const { findMissingDebugger } = await import('./functions/index.ts');
    return await findMissingDebugger(question);
  },
  async unpackCode(zip, directory) {
    const { unpackCode } = await import('./store/index.ts');
    await unpackCode(zip, directory);
  },
  async probeIsolation() {
    const { reportIsolation } = await import('./isolation-report.ts');
    return await reportIsolation();
  },
  async pullImage(...image) {
    const { pullImage } = await import('./functions/index.ts');
    return await pullImage(...image);
  },
  runtimes() {
    const tools = import('./runtime-tools.ts').then(({ createRuntimeTools }) =>
      createRuntimeTools((text) => process.stderr.write(`yunmen: ${text}\n`)),
    );
    return {
      list: async () => await (await tools).list(),
      add: async (id, options) => await (await tools).add(id, options),
      remove: async (id) => await (await tools).remove(id),
    };
  },
  version,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
});
