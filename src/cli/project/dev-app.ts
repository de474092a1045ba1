// The app of the dev project: made once, its key kept in `<data-dir>/dev-app.json` (mode 0600) for `yunmen call`.
import { chmod, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readNumber, readText } from '../client/json.ts';
import { type DevApp, readDevApp } from '../client/local-server.ts';
import { ApiRefusal, type ApiTarget, callCloudApi } from '../client/openapi.ts';
import { failed } from '../errors.ts';
import { readPages, requireText } from './gateway-actions.ts';

/** Not just `dev`: names of apps have at least four characters. Source: docs. */
export const devAppName = 'dev-app';

/** `<data-dir>/dev-app.json`. */
export function devAppFile(dataDir: string): string {
  return join(dataDir, 'dev-app.json');
}

/**
 * The app of the kept key if the server still has it, else the app of that name, else a new one; its key is kept.
 * `warn` hears of a kept key that is no longer good.
 */
export async function ensureDevApp(target: ApiTarget, dataDir: string, warn: (text: string) => void): Promise<DevApp> {
  const kept = await readDevApp(dataDir);
  if (kept !== null) {
    const known = await readSecurity(target, kept.appId);
    if (known !== null && known.appKey === kept.appKey && known.appSecret === kept.appSecret) return kept;
    warn(`the app in ${devAppFile(dataDir)} is not the server's; a current key replaces it`);
  }
  const appId = (await findDevApp(target)) ?? (await createDevApp(target));
  const app = await readSecurity(target, appId);
  if (app === null) throw failed(`the server does not know app ${appId}, which it just named`);
  await writePrivately(devAppFile(dataDir), `${JSON.stringify(app, null, 2)}\n`);
  return app;
}

async function findDevApp(target: ApiTarget): Promise<number | null> {
  const apps = await readPages(target, 'DescribeAppAttributes', { AppName: devAppName }, ['Apps', 'AppAttribute']);
  const found = apps.find((app) => readText(app, 'AppName') === devAppName);
  return found === undefined ? null : readNumber(found, 'AppId');
}

async function createDevApp(target: ApiTarget): Promise<number> {
  const answer = await callCloudApi(target, 'CreateApp', { AppName: devAppName, Description: 'made by yunmen dev' });
  const appId = readNumber(answer, 'AppId');
  if (appId === null) throw failed('the answer of CreateApp has no AppId');
  return appId;
}

async function readSecurity(target: ApiTarget, appId: number): Promise<DevApp | null> {
  try {
    const answer = await callCloudApi(target, 'DescribeAppSecurity', { AppId: String(appId) });
    const appKey = requireText(answer, 'AppKey', 'DescribeAppSecurity');
    return { appId, appKey, appSecret: requireText(answer, 'AppSecret', 'DescribeAppSecurity') };
  } catch (error) {
    if (error instanceof ApiRefusal && error.code === 'NotFoundApp') return null;
    throw error;
  }
}

/** Whole or not at all, readable for the owner only. */
async function writePrivately(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, text, { mode: 0o600 });
  await chmod(draft, 0o600);
  await rename(draft, file);
}
