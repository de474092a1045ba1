// The tasks by which a change of a backend's model reaches its APIs. It is in force when the change is answered, so a task is over
// from the beginning; what it did is kept with the backend. Called by backends.ts.
import { randomHex } from '../../base/ids.ts';
import type { StageName } from '../../model/api.ts';
import type { ReadTransaction } from '../../store/port.ts';
import type { ApiRow, BackendRow, BackendTaskRow } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { scan } from './lookup.ts';

/** Tasks of one backend that are kept; the oldest goes first. Source: assumed. */
const keptTasks = 10;

/** The backend with one more task, for the APIs that are live in a stage with it. */
export function withTask(
  row: BackendRow,
  stage: StageName,
  apis: readonly ApiRow[],
): { readonly row: BackendRow; readonly operationId: string } {
  const operationId = randomHex(16);
  const task: BackendTaskRow = {
    operationId,
    stage,
    apis: apis.map(({ apiId, groupId, definition }) => ({ apiId, groupId, apiName: definition.apiName })),
  };
  return { row: { ...row, tasks: [...(row.tasks ?? []), task].slice(-keptTasks) }, operationId };
}

async function findTask(
  tx: ReadTransaction,
  operationId: string,
): Promise<{ readonly backendId: string; readonly task: BackendTaskRow }> {
  const rows = await scan(
    (page) => tx.rows.backends.list(page),
    (row) => row.backendId,
  );
  for (const { backendId, tasks = [] } of rows) {
    const task = tasks.find((candidate) => candidate.operationId === operationId);
    if (task !== undefined) return { backendId, task };
  }
  throw openApiError('NotFoundOperation', `Cannot find resource [Operation] named ${operationId.slice(0, 100)}.`);
}

/** Source: docs for the members, sdk for the words of what is over (those of other tasks). */
export const describeUpdateBackendTask: RpcAction = async ({ args, deps }) =>
  deps.store.read(async (tx) => {
    const { backendId, task } = await findTask(tx, args.text('OperationUid').trim());
    const results: object[] = [];
    for (const { apiId, groupId, apiName } of task.apis) {
      const group = await tx.rows.groups.get(groupId);
      results.push({
        ApiUid: apiId,
        ApiName: apiName,
        BackendId: backendId,
        GroupId: groupId,
        GroupName: group?.groupName,
        StageId: group?.stages.find(({ stageName }) => stageName === task.stage)?.stageId,
        StageName: task.stage,
        UpdateStatus: 'OVER',
        ErrorMsg: 'Success',
      });
    }
    return { ApiUpdateBackendResults: results };
  });
