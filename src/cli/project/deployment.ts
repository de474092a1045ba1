// Brings a server to what a plan says, through the public APIs only, and remembers what is deployed so that a second
// plan changes only what differs. Used by `dev` at start and at each reload.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import {
  createFunction,
  createService,
  formatName,
  getFunction,
  getService,
  isAlready,
  orMissing,
  updateFunction,
  updateService,
} from '../client/functions.ts';
import { ensureLayer } from '../client/layers.ts';
import type { DevApp } from '../client/local-server.ts';
import type { ApiTarget } from '../client/openapi.ts';
import { deleteTrigger, ensureHttpTrigger } from '../client/triggers.ts';
import { type Survey, surveyCode } from '../pack.ts';
import { ensureDevApp } from './dev-app.ts';
import {
  abolishAndDeleteApi,
  createOrModifyApi,
  deployApi,
  findApis,
  findOrCreateGroup,
  grantApi,
} from './gateway-actions.ts';
import { type ApiPlan, type FunctionPlan, fingerprint, type GroupPlan, type Plan, type ServicePlan } from './plan.ts';

/** `look`: by which it is known without reading a file that there is nothing to do; null: its files are too new for that. */
type DeployedFunction = { readonly print: string; readonly look: string | null };
type DeployedApi = { readonly apiId: string; readonly groupId: string; readonly stage: string; readonly print: string };

/** What one `apply` changed: names of functions, `group/api` names of APIs, names of services. */
export type Changes = {
  readonly services: readonly string[];
  readonly functions: readonly string[];
  readonly apis: readonly string[];
};

export type DeploymentOptions = {
  readonly target: ApiTarget;
  readonly dataDir: string;
  readonly clock: Clock;
  /** Called for what the user should know but which stops nothing. */
  readonly warn: (text: string) => void;
  /** Called with new code of a function before that is deployed. Its failure stops the deployment. */
  readonly beforeCode?: ((plan: FunctionPlan, zip: Buffer) => Promise<void>) | undefined;
};

/**
 * A project on a server. `apply` must not run twice at once.
 *
 * A failing `apply` leaves what was not reached as it was; the next one does the rest.
 */
export class Deployment {
  readonly #options: DeploymentOptions;
  readonly #services = new Map<string, string>();
  readonly #functions = new Map<string, DeployedFunction>();
  /** By path: the version that holds it; `look` as of functions. */
  readonly #layers = new Map<string, { readonly arn: string; readonly look: string | null }>();
  /** By function: the URLs of its triggers by name. */
  readonly #triggers = new Map<string, ReadonlyMap<string, string | null>>();
  readonly #apis = new Map<string, DeployedApi>();
  readonly #groups = new Map<string, string>();
  #app: DevApp | null = null;

  constructor(options: DeploymentOptions) {
    this.#options = options;
  }

  /** The app that signs for the developer; null while the project has no API. */
  get app(): DevApp | null {
    return this.#app;
  }

  /** URLs of the functions that have HTTP triggers. */
  get urls(): readonly { readonly functionName: string; readonly url: string }[] {
    return [...this.#triggers].flatMap(([functionName, triggers]) =>
      [...triggers.values()].flatMap((url) => (url === null ? [] : [{ functionName, url }])),
    );
  }

  groupId(groupName: string): string | null {
    return this.#groups.get(groupName) ?? null;
  }

  /** Errors: exit 1 with the service's refusal or what is wrong with the code; exit 3 when the server is gone. */
  async apply(plan: Plan): Promise<Changes> {
    const changes: { services: string[]; functions: string[]; apis: string[] } = {
      services: [],
      functions: [],
      apis: [],
    };
    for (const service of plan.services)
      if (await this.#applyService(service)) changes.services.push(service.serviceName);
    for (const each of plan.functions) if (await this.#applyFunction(each)) changes.functions.push(each.functionName);
    await this.#removeVanishedApis(plan);
    for (const group of plan.groups) changes.apis.push(...(await this.#applyGroup(group)));
    this.#warnOfVanishedFunctions(plan);
    return changes;
  }

  async #applyService(plan: ServicePlan): Promise<boolean> {
    const { target } = this.#options;
    const print = fingerprint(plan);
    if (this.#services.get(plan.serviceName) === print) return false;
    const existing = await getService(target, plan.serviceName);
    if (existing === null) await createService(target, plan.serviceName, plan.settings);
    else if (!isAlready(existing, plan.settings)) await updateService(target, plan.serviceName, plan.settings);
    this.#services.set(plan.serviceName, print);
    return true;
  }

  async #applyFunction(plan: FunctionPlan): Promise<boolean> {
    const { target, dataDir, clock } = this.#options;
    const name = formatName(plan);
    const deployed = this.#functions.get(name);
    const surveyedAt = clock.now();
    const code = await surveyCode(plan.codePath, [dataDir]);
    const layerCodes = await this.#surveyLayers(plan);
    const surveys = [code, ...layerCodes.values()];
    const look = fingerprint([plan, surveys.map((survey) => survey.print)]);
    if (deployed?.look === look) return false;
    const zip = await code.packQuickly();
    const layers = await this.#applyLayers(plan, layerCodes, surveyedAt);
    const print = fingerprint([plan, layers, createHash('sha256').update(zip).digest('hex')]);
    const isSame = deployed?.print === print;
    if (!isSame) {
      const settings = { ...plan.settings, layers };
      await this.#options.beforeCode?.(plan, zip);
      const isThere = deployed !== undefined || (await orMissing(getFunction(target, plan))) !== null;
      if (isThere) await updateFunction(target, plan, settings, zip);
      else await createFunction(target, plan, settings, zip);
      await this.#applyTriggers(plan);
    }
    const isSettled = surveys.every((survey) => survey.settlesAt < surveyedAt);
    this.#functions.set(name, { print, look: isSettled ? look : null });
    return !isSame;
  }

  /** By path: those that are no ARN. */
  async #surveyLayers(plan: FunctionPlan): Promise<ReadonlyMap<string, Survey>> {
    const paths = plan.layers.filter((layer) => !layer.startsWith('acs:'));
    const survey = async (path: string) => [path, await surveyCode(path, [this.#options.dataDir])] as const;
    return new Map(await Promise.all(paths.map(survey)));
  }

  /** ARNs; what is a path is published first, when its content is new. */
  async #applyLayers(
    plan: FunctionPlan,
    codes: ReadonlyMap<string, Survey>,
    surveyedAt: number,
  ): Promise<readonly string[]> {
    const arns: string[] = [];
    for (const layer of plan.layers) {
      const code = codes.get(layer);
      const known = this.#layers.get(layer);
      if (code === undefined) arns.push(layer);
      else if (known !== undefined && known.look === code.print) arns.push(known.arn);
      else {
        const arn = await ensureLayer(this.#options.target, layerName(layer), await code.pack());
        this.#layers.set(layer, { arn, look: code.settlesAt < surveyedAt ? code.print : null });
        arns.push(arn);
      }
    }
    return arns;
  }

  /** Triggers that the template names no more are taken away when it was this deployment that made them. */
  async #applyTriggers(plan: FunctionPlan): Promise<void> {
    const { target } = this.#options;
    const name = formatName(plan);
    const former = this.#triggers.get(name) ?? new Map<string, string | null>();
    for (const old of former.keys()) {
      if (!plan.triggers.some((trigger) => trigger.name === old)) await deleteTrigger(target, plan, old);
    }
    const urls = new Map<string, string | null>();
    for (const trigger of plan.triggers) urls.set(trigger.name, await ensureHttpTrigger(target, plan, trigger));
    this.#triggers.set(name, urls);
  }

  async #applyGroup(plan: GroupPlan): Promise<string[]> {
    const { target, dataDir, warn } = this.#options;
    const groupId = this.#groups.get(plan.name) ?? (await findOrCreateGroup(target, plan.name, plan.description));
    this.#groups.set(plan.name, groupId);
    this.#app ??= await ensureDevApp(target, dataDir, warn);
    const changed: string[] = [];
    let existing: ReadonlyMap<string, string> | null = null;
    for (const api of plan.apis) {
      const key = `${plan.name}/${api.name}`;
      const print = fingerprint([api, plan.stage]);
      if (this.#apis.get(key)?.print === print) continue;
      existing ??= await findApis(target, groupId);
      const apiId = await createOrModifyApi(target, groupId, existing.get(api.name) ?? null, api.wire);
      await deployApi(target, { groupId, apiId, stage: plan.stage });
      if (isGranted(api)) await grantApi(target, { groupId, apiId, stage: plan.stage }, this.#app.appId);
      this.#apis.set(key, { apiId, groupId, stage: plan.stage, print });
      changed.push(key);
    }
    return changed;
  }

  /** First of all, so that a route can pass to an API with another name. */
  async #removeVanishedApis(plan: Plan): Promise<void> {
    const wanted = new Set(
      plan.groups.flatMap((group) => group.apis.map((api) => `${group.name}/${api.name}@${group.stage}`)),
    );
    for (const [key, api] of this.#apis) {
      if (wanted.has(`${key}@${api.stage}`)) continue;
      await abolishAndDeleteApi(this.#options.target, api);
      this.#apis.delete(key);
    }
  }

  #warnOfVanishedFunctions(plan: Plan): void {
    const wanted = new Set(plan.functions.map(formatName));
    for (const name of this.#functions.keys()) {
      if (wanted.has(name)) continue;
      this.#functions.delete(name);
      this.#options.warn(`${name} is no longer in the template; it stays deployed until you delete it`);
    }
  }
}

function isGranted(api: ApiPlan): boolean {
  return api.auth === 'APP' || api.auth === 'APPOPENID';
}

/** A layer's name by the last part of its path: `./layers/common.zip` is `common`. */
function layerName(path: string): string {
  return basename(path)
    .replace(/\.zip$/i, '')
    .replace(/[^\w-]/g, '-')
    .replace(/^[^A-Za-z_]+/, '');
}
