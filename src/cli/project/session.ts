// A project on a running server: deploys it, says how to call it, and redeploys what changes. Opened by the `dev` command.
import type { Clock } from '../../base/clock.ts';
import type { ApiTarget } from '../client/openapi.ts';
import { messageOf } from '../errors.ts';
import type { Printer } from '../output.ts';
import type { RunningServer } from '../server-port.ts';
import { type Changes, Deployment, type DeploymentOptions } from './deployment.ts';
import { devAppFile } from './dev-app.ts';
import { apiUrl, type ProjectView } from './examples.ts';
import { loadTemplate, type Project } from './load.ts';
import { makePlan, type Plan } from './plan.ts';
import { watchProject } from './watcher.ts';

/** The `project` member of the ready line. */
export type ProjectFacts = {
  readonly groupId: string | null;
  readonly apis: readonly { readonly method: string; readonly url: string; readonly auth: string }[];
  readonly app: { readonly appId: number; readonly appKey: string; readonly credentialsFile: string } | null;
};

export type SessionOptions = {
  readonly project: Project;
  readonly server: RunningServer;
  /** Absolute. */
  readonly dataDir: string;
  readonly printer: Printer;
  readonly clock: Clock;
  readonly beforeCode?: DeploymentOptions['beforeCode'];
};

/** Deployed once by `open`; `watch` begins reloading; `close` ends it and waits for a reload under way. */
export class ProjectSession {
  readonly #options: SessionOptions;
  readonly #deployment: Deployment;
  #plan: Plan;
  #watcher: { close(): void } | null = null;
  #reloading: Promise<void> = Promise.resolve();
  #isReloading = false;
  #isStale = false;
  #isClosed = false;
  #hasFailed = false;
  #shownWarnings: readonly string[] = [];

  private constructor(options: SessionOptions, deployment: Deployment, plan: Plan) {
    this.#options = options;
    this.#deployment = deployment;
    this.#plan = plan;
  }

  /** Errors: exit 1 with what is wrong with the template or was refused. */
  static async open(options: SessionOptions): Promise<ProjectSession> {
    const { server, dataDir, printer, clock } = options;
    const target: ApiTarget = {
      endpoint: server.ready.api,
      ...server.credentials,
      hint: 'The server has just been started',
    };
    const warn = (text: string) => printer.note(`warning: ${text}`);
    const deployment = new Deployment({ target, dataDir, clock, warn, beforeCode: options.beforeCode });
    const session = new ProjectSession(options, deployment, { services: [], functions: [], groups: [] });
    session.#plan = session.#readPlan();
    await deployment.apply(session.#plan);
    const groupId = session.#defaultGroupId();
    if (groupId !== null) await server.setDefaultGroup(groupId);
    return session;
  }

  get facts(): ProjectFacts {
    const { app } = this.#deployment;
    const view = this.view;
    return {
      groupId: this.#defaultGroupId(),
      apis: view.apis.map(({ api, url }) => ({ method: api.method, url: url.href, auth: api.auth })),
      app:
        app === null
          ? null
          : { appId: app.appId, appKey: app.appKey, credentialsFile: devAppFile(this.#options.dataDir) },
    };
  }

  get view(): ProjectView {
    const defaultGroupId = this.#defaultGroupId();
    return {
      app: this.#deployment.app,
      functions: this.#plan.functions,
      urls: this.#deployment.urls,
      apis: this.#plan.groups.flatMap((group) => {
        const groupId = this.#deployment.groupId(group.name);
        const isDefault = groupId === defaultGroupId;
        const url = (path: string) => apiUrl(this.#options.server.ready.gateway, isDefault ? null : groupId, path);
        return group.apis.map((api) => ({ api, stage: group.stage, url: url(api.path) }));
      }),
    };
  }

  watch(): void {
    const { project, dataDir, printer, clock } = this.#options;
    const giveUp = (error: unknown) => printer.note(`warning: changes are not noticed any more: ${messageOf(error)}`);
    const onChange = () => this.#onChange();
    try {
      this.#watcher = watchProject({ folder: project.folder, exclude: [dataDir], clock, onChange, onError: giveUp });
    } catch (error) {
      giveUp(error);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watcher?.close();
    await this.#reloading;
  }

  #onChange(): void {
    this.#isStale = true;
    if (this.#isReloading) return;
    this.#reloading = this.#reloadUntilFresh();
  }

  async #reloadUntilFresh(): Promise<void> {
    this.#isReloading = true;
    while (this.#isStale && !this.#isClosed) {
      this.#isStale = false;
      await this.#reload();
    }
    this.#isReloading = false;
  }

  async #reload(): Promise<void> {
    const { printer, clock, server } = this.#options;
    const startedAt = clock.monotonic();
    try {
      const groupBefore = this.#defaultGroupId();
      const plan = this.#readPlan();
      const changes = await this.#deployment.apply(plan);
      this.#plan = plan;
      const groupId = this.#defaultGroupId();
      if (groupId !== null && groupId !== groupBefore) await server.setDefaultGroup(groupId);
      this.#announce(changes, Math.round(clock.monotonic() - startedAt));
      this.#hasFailed = false;
    } catch (error) {
      if (this.#isClosed) return;
      this.#hasFailed = true;
      printer.note(`reload failed, the old version stays: ${messageOf(error)}`);
      printer.json({ event: 'reload-failed', message: messageOf(error) });
    }
  }

  #announce(changes: Changes, ms: number): void {
    const { functions, apis, services } = changes;
    const names = [...functions, ...apis, ...services.map((name) => `service ${name}`)];
    // After a failure also a return to what is deployed is news.
    if (names.length === 0 && !this.#hasFailed) return;
    this.#options.printer.line(
      `reloaded ${names.length === 0 ? 'nothing: all is as deployed' : names.join(', ')} (${ms} ms)`,
    );
    this.#options.printer.json({ event: 'reloaded', functions, apis, services, ms });
  }

  #readPlan(): Plan {
    const { project, server, printer } = this.#options;
    const template = loadTemplate(project);
    for (const warning of template.warnings) {
      if (!this.#shownWarnings.includes(warning)) printer.note(`warning: ${warning}`);
    }
    this.#shownWarnings = template.warnings;
    return makePlan(template, project.folder, server.ready);
  }

  #defaultGroupId(): string | null {
    const first = this.#plan.groups[0];
    return first === undefined ? null : this.#deployment.groupId(first.name);
  }
}
