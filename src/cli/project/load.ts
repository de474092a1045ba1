// Finds and reads a project's template from disk; chooses the Node twin when this machine has no Python.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { failed, messageOf, wrongUsage } from '../errors.ts';
import { parseTemplate, type Template } from './template.ts';

export type Project = {
  /** Absolute. */
  readonly folder: string;
  /** `template.yml` or `template.node.yml`. */
  readonly templateName: string;
  /** Why it is not template.yml; null when it is. */
  readonly remark: string | null;
};

const templateNames = ['template.yml', 'template.yaml'];
const twinName = 'template.node.yml';

/**
 * The project in a folder.
 *
 * When the template uses Python, this machine has none, and the folder has a template.node.yml, that one is used.
 * Errors: exit 2 when there is no template; exit 1 when it cannot be read.
 */
export async function findProject(dir: string, cwd: string, discoverPython: () => Promise<boolean>): Promise<Project> {
  const folder = resolve(cwd, dir);
  const templateName = templateNames.find((name) => existsSync(join(folder, name)));
  if (templateName === undefined)
    throw wrongUsage(`no template.yml in ${folder}; \`yunmen start\` runs a server without a project`);
  const project: Project = { folder, templateName, remark: null };
  const usesPython = loadTemplate(project).services.some((service) =>
    service.functions.some((each) => each.runtime.toLowerCase().startsWith('python')),
  );
  if (!usesPython || (await discoverPython())) return project;
  if (!existsSync(join(folder, twinName))) {
    return {
      ...project,
      remark: 'no python3 was found on this machine: the Python functions are deployed but cannot run',
    };
  }
  const remark = `no python3 was found on this machine: ${twinName} is served instead, the same functions in JavaScript`;
  return { folder, templateName: twinName, remark };
}

/** Errors: exit 1 with the problems of the template, each with its line. */
export function loadTemplate(project: Project): Template {
  const read = (path: string) => {
    try {
      return readFileSync(resolve(project.folder, path), 'utf8');
    } catch (error) {
      throw failed(`${path} cannot be read: ${messageOf(error)}`, { cause: error });
    }
  };
  return parseTemplate(project.templateName, read(project.templateName), read);
}
