// Where the gateway's access log is delivered: a project and a log store, for all groups. What becomes of it: src/log-delivery.ts.
import type { ReadTransaction } from '../../store/port.ts';
import type { LogConfigRow } from '../../store/rows.ts';
import { logstoreName, projectName } from '../../wire/log-store-names.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { type ControlDeps, commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';

/** Source: docs; the metadata names it `log`. */
const accessLog = 'PROVIDER';

/** Errors: UnsupportedParameter for the log of online tests, which the console does not make. */
function readType(args: Arguments): string {
  const type = args.optionalText('LogType') ?? '';
  if (type === 'survey') {
    throw openApiError('UnsupportedParameter', 'The parameter LogType may be PROVIDER or log: there is no other log.');
  }
  return type === '' ? accessLog : type;
}

function readTarget(args: Arguments): Pick<LogConfigRow, 'project' | 'logstore'> {
  const project = args.text('SlsProject');
  const logstore = args.text('SlsLogStore');
  const form = 'must have 3 to 63 lower-case letters, digits and hyphens, and begin and end with a letter or a digit';
  if (!projectName.test(project)) throw openApiError('InvalidSlsProject', `The parameter SlsProject ${form}.`);
  if (!logstoreName.test(logstore)) {
    throw openApiError('InvalidSlsLogStore', `The parameter SlsLogStore ${form}; underscores are allowed too.`);
  }
  return { project, logstore };
}

async function getConfig(tx: ReadTransaction): Promise<LogConfigRow> {
  const row = await tx.rows.logConfigs.get('access');
  if (row === null)
    throw openApiError('NotFoundLogConfig', 'The access log is delivered nowhere: there is no log configuration.');
  return row;
}

type Target = ReturnType<typeof readTarget>;

/** Source: assumed. */
function notWritten(deps: ControlDeps, error: unknown, outcome: string): Error {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  deps.log.error('the access log cannot be delivered', { error: String(error) });
  return openApiError('ServiceUnavailable', `The access log cannot be written there (${reason}). ${outcome}`);
}

/** Errors: ServiceUnavailable, before anything is changed. */
async function probe(deps: ControlDeps, { project, logstore }: Target): Promise<void> {
  try {
    await deps.probeLogs({ project, logstore });
  } catch (error) {
    throw notWritten(deps, error, 'Nothing was changed.');
  }
}

/** The write, and that what was written is in force. Errors: ServiceUnavailable, when it cannot be any more. */
async function commitTarget(deps: ControlDeps, work: Parameters<typeof commit>[1]): Promise<void> {
  await commit(deps, work);
  try {
    await deps.deliverLogs();
  } catch (error) {
    throw notWritten(deps, error, 'The configuration was changed, and nothing is delivered until that is mended.');
  }
}

/** Errors: RepeatedLogConfig. */
async function refuseSecond(tx: ReadTransaction): Promise<void> {
  const old = await tx.rows.logConfigs.get('access');
  if (old === null) return;
  const where = `${old.project}/${old.logstore}`;
  throw openApiError(
    'RepeatedLogConfig',
    `The access log is delivered to ${where} already: ModifyLogConfig changes that.`,
  );
}

/** Errors: RepeatedLogConfig, ServiceUnavailable; that a second one is refused is docs, the codes are assumed. */
export const createLogConfig: RpcAction = async ({ args, deps }) => {
  const row: LogConfigRow = {
    name: 'access',
    logType: readType(args),
    ...readTarget(args),
    createdAt: deps.clock.now(),
  };
  await deps.store.read(refuseSecond);
  await probe(deps, row);
  await commitTarget(deps, async (tx) => {
    await refuseSecond(tx);
    await tx.rows.logConfigs.insert(row);
  });
  return {};
};

/** Errors: NotFoundLogConfig, ServiceUnavailable. */
export const modifyLogConfig: RpcAction = async ({ args, deps }) => {
  readType(args);
  const target = readTarget(args);
  await deps.store.read(getConfig);
  await probe(deps, target);
  await commitTarget(deps, async (tx) => {
    await tx.rows.logConfigs.update({ ...(await getConfig(tx)), ...target });
  });
  return {};
};

/** What was delivered stays. Errors: NotFoundLogConfig. Source: assumed. */
export const deleteLogConfig: RpcAction = async ({ args, deps }) => {
  readType(args);
  await commitTarget(deps, async (tx) => {
    await getConfig(tx);
    await tx.rows.logConfigs.delete('access');
  });
  return {};
};

/** An empty list where there is none. Source: sdk (the Terraform provider takes it for that). */
export const describeLogConfig: RpcAction = async ({ args, deps }) => {
  const isOther = args.optionalText('LogType') === 'survey';
  const row = isOther ? null : await deps.store.read((tx) => tx.rows.logConfigs.get('access'));
  if (row === null) return { LogInfos: [] };
  const { logType, project, logstore } = row;
  const { regionId } = deps.account;
  return { LogInfos: [{ LogType: logType, SlsProject: project, SlsLogStore: logstore, RegionId: regionId }] };
};
