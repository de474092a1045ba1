// The launcher process: the only one that starts instances. Started by server.ts, asked by the data process.
import { ChannelError, type Message } from './base/channel.ts';
import { parentChannel } from './child-process.ts';
import { probeIsolation, type RunningLauncher, runLauncher } from './functions/index.ts';
import { logByNotes } from './outlets.ts';
import { removeRunDirectoryNow } from './run-directory.ts';
import type { LauncherSettings } from './settings.ts';

/** Chosen, not guessed: a tier that was asked for must work, and `start` never falls to none by itself. */
async function chooseTier({ isolation, mode }: LauncherSettings): Promise<string> {
  if (isolation === 'none') return isolation;
  const probe = await probeIsolation();
  const lacking = probe.missing
    .map(({ tier, why, install }) => `tier '${tier}': ${why}. This line would help: ${install}`)
    .join('\n');
  if (isolation !== null) {
    const isThere = probe.available.some((tier) => tier === isolation);
    if (isThere) return isolation;
    const known = lacking === '' ? `this build has the tiers ${probe.available.join(', ')}` : lacking;
    throw new ChannelError(`the isolation tier '${isolation}' cannot be had here.\n${known}`);
  }
  if (probe.tier === 'none' && mode === 'start') {
    throw new ChannelError(
      `functions cannot be isolated here, and 'start' does not run them unprotected by itself.\n${lacking}\nOr ask for it: --isolation none`,
    );
  }
  return probe.tier;
}

/** Serves one data process; ends every instance when that one or control goes. */
class LauncherProcess {
  #launcher: RunningLauncher | null = null;
  #runDir: string | null = null;

  async configure(settings: LauncherSettings): Promise<{ tier: string }> {
    this.#runDir = settings.runDir;
    const tier = await chooseTier(settings);
    this.#launcher = await runLauncher({
      runDir: settings.runDir,
      token: settings.launcherToken,
      tier,
      report: (text) => log.warn(text),
    });
    void this.#launcher.closed.then(() => this.end());
    return { tier };
  }

  async end(): Promise<void> {
    await this.#launcher?.close();
    if (this.#runDir !== null) removeRunDirectoryNow(this.#runDir);
    process.exit(0);
  }
}

const launcher = new LauncherProcess();
const control = parentChannel({
  async onCall(name, { data }): Promise<Message> {
    if (name !== 'configure') throw new ChannelError(`the launcher does not answer ${name}`);
    return { data: await launcher.configure(data as LauncherSettings) };
  },
  onNote: () => {},
  onClose: () => void launcher.end(),
});
const log = logByNotes((note, data) => control.note(note, data));
