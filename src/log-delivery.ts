// Delivers the gateway's access log where CreateLogConfig says: from the lines that data processes send for the request log, in the
// control process, so that no call waits for it. server.ts makes it; outlets.ts gives it the lines.
import type { Log } from './base/log.ts';
import { type Account, instanceId } from './model/account.ts';
import { DeliveredLog, type DeliveredLogOptions } from './store/index.ts';
import { type DeliveredOwner, writeDeliveredLine } from './wire/delivered-line.ts';
import { readLogLine, readWeight } from './wire/request-log-line.ts';

type Group = {
  readonly groupName: string;
  readonly stages: readonly { readonly stageId: string; readonly stageName: string }[];
};

/** What the store holds, as far as delivering needs it. */
export type LogDeliverySource = {
  readonly account: Account;
  /** Null: nowhere. */
  readonly findTarget: () => Promise<{ readonly project: string; readonly logstore: string } | null>;
  readonly findGroup: (groupId: string) => Promise<Group | null>;
};

export type LogDeliveryOptions = {
  /** Of all projects. */
  readonly directory: string;
  readonly log: Log;
  readonly bounds?: DeliveredLogOptions['bounds'];
};

/** Bytes of lines that wait to be written anew; more are dropped. */
const waitingBytes = 8 * 1024 * 1024;
/** Lines after which others get their turn. */
const turnLines = 200;
/** Groups whose names are remembered. */
const groupLimit = 1_000;

export class LogDelivery {
  readonly #options: LogDeliveryOptions;
  #source: LogDeliverySource | null = null;
  #target: DeliveredLog | null = null;
  #place = '';
  /** Changes of the target and batches of lines, one after the other. */
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #isDropping = false;
  /** Names as they were asked for last; null: there is no such group. */
  readonly #groups = new Map<string, Promise<Group | null>>();

  constructor(options: LogDeliveryOptions) {
    this.#options = options;
  }

  /** From when on the store can be asked. Never rejects: a server whose log cannot be delivered serves, and says so. */
  async begin(source: LogDeliverySource): Promise<void> {
    this.#source = source;
    try {
      await this.follow();
    } catch (error) {
      this.#tell(error);
    }
  }

  /** Makes the files of a target that nothing is delivered to yet. Errors: those of the disk. */
  async probe({ project, logstore }: { readonly project: string; readonly logstore: string }): Promise<void> {
    if (this.#place === `${project}/${logstore}`) return;
    const opened = await DeliveredLog.open({
      ...{ directory: this.#options.directory, project, logstore },
      onError: (error) => this.#tell(error),
    });
    await opened.close();
  }

  /** Delivers as the store says now; what came before goes where it said before. Errors: those of the disk. */
  follow(): Promise<void> {
    const done = this.#work.then(() => this.#aim());
    this.#work = done.catch(() => {});
    return done;
  }

  /** A group was changed. */
  forget(groupId: string): void {
    this.#groups.delete(groupId);
  }

  /** Takes whole lines of the request log. */
  take(lines: Buffer): void {
    if (this.#target === null) return;
    const isTaken = this.#waiting + lines.length <= waitingBytes;
    if (!isTaken) {
      this.#drop('control is too busy');
      return;
    }
    this.#waiting += lines.length;
    this.#work = this.#work
      .then(() => this.#deliver(lines))
      .catch((error: unknown) => this.#tell(error))
      .finally(() => {
        this.#waiting -= lines.length;
      });
  }

  async close(): Promise<void> {
    await this.#work;
    await this.#target?.close();
    this.#target = null;
  }

  async #aim(): Promise<void> {
    const wanted = (await this.#source?.findTarget()) ?? null;
    const place = wanted === null ? '' : `${wanted.project}/${wanted.logstore}`;
    if (place === this.#place) return;
    const former = this.#target;
    const { directory, bounds } = this.#options;
    const opened =
      wanted === null
        ? null
        : await DeliveredLog.open({
            ...{ directory, project: wanted.project, logstore: wanted.logstore },
            onError: (error) => this.#tell(error),
            ...(bounds === undefined ? {} : { bounds }),
          });
    this.#target = opened;
    this.#place = place;
    await former?.close();
  }

  async #deliver(lines: Buffer): Promise<void> {
    let text = '';
    let seen = 0;
    for (const line of lines.toString().split('\n')) {
      text += await this.#deliveredLine(line);
      if (++seen % turnLines === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (text === '' || this.#target === null) return;
    if (this.#target.append(Buffer.from(text))) this.#isDropping = false;
    else this.#drop('the disk is too slow');
  }

  /** Nothing for what is no request to the gateway. */
  async #deliveredLine(line: string): Promise<string> {
    const record = line === '' ? null : readLogLine(line);
    if (record === null || record.functionName !== null || this.#source === null) return '';
    const { groupId, stage } = record;
    const group = groupId === null ? null : await this.#groupOf(groupId);
    const stageId = group?.stages.find(({ stageName }) => stageName === stage)?.stageId ?? null;
    const { accountId, regionId } = this.#source.account;
    const owner: DeliveredOwner = {
      ...{ accountId, regionId, instanceId },
      group: group === null ? null : { groupName: group.groupName, stageId },
    };
    return writeDeliveredLine(record, owner, readWeight(line));
  }

  /** One that is changed while it is asked for is forgotten with its answer. */
  #groupOf(groupId: string): Promise<Group | null> {
    const known = this.#groups.get(groupId);
    if (known !== undefined) return known;
    if (this.#groups.size >= groupLimit) this.#groups.clear();
    const found = this.#source?.findGroup(groupId) ?? Promise.resolve(null);
    this.#groups.set(groupId, found);
    found.catch(() => this.#groups.delete(groupId)); // Told by whoever awaits it.
    return found;
  }

  /** Once until it goes on again. */
  #drop(why: string): void {
    if (!this.#isDropping) this.#options.log.warn(`requests were not delivered to the log store, ${why}`);
    this.#isDropping = true;
  }

  #tell(error: unknown): void {
    this.#options.log.error('the access log cannot be delivered', { place: this.#place, error: String(error) });
  }
}
