// A launcher process for contract tests: settings as JSON in argv[2]; says "ready" on stdout; SIGTERM closes it.
import { runLauncher } from '../../src/functions/index.ts';

const { runDir, token, tier } = JSON.parse(process.argv[2] ?? '{}') as { runDir: string; token: string; tier: string };
const launcher = await runLauncher({ runDir, token, tier, report: (text) => process.stderr.write(`${text}\n`) });
process.on('SIGTERM', () => void launcher.close());
process.stdout.write('ready\n');
await launcher.closed;
