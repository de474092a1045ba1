// A project's template.yml (dialect of the FC template tool, 2018-04-03) as typed values; plan.ts makes API calls of them.
import { failed } from '../errors.ts';
import { type ApiTemplate, readDefinition } from './api-definition.ts';
import { type FunctionTemplate, readFunction } from './function-template.ts';
import { formatProblem, YamlFile, type YamlReader } from './yaml-reader.ts';

export type ServiceTemplate = {
  readonly name: string;
  readonly description: string | null;
  readonly role: string | null;
  readonly internetAccess: boolean | null;
  readonly functions: readonly FunctionTemplate[];
};

export type GroupTemplate = {
  readonly name: string;
  readonly description: string | null;
  readonly stage: string;
  readonly apis: readonly ApiTemplate[];
};

export type Template = {
  readonly services: readonly ServiceTemplate[];
  readonly groups: readonly GroupTemplate[];
  /** Already formatted with file and line. */
  readonly warnings: readonly string[];
};

const transform = 'Aliyun::Serverless-2018-04-03';
const formatVersion = '2015-09-01';
const stages: readonly string[] = ['RELEASE', 'PRE', 'TEST'];

/**
 * Reads a template.
 *
 * `readText` gives a file that the template names (DefinitionUri), relative to the template's folder.
 * Errors: exit 1 with every problem on a line of its own: `template.yml:12: Runtime is missing`.
 */
export function parseTemplate(fileName: string, text: string, readText: (path: string) => string): Template {
  const file = new YamlFile(fileName, text);
  const files = [file];
  const root = file.root();
  if (file.errors.length === 0) checkHead(root);
  const services: ServiceTemplate[] = [];
  const groups: GroupTemplate[] = [];
  const resources = root.at('Resources');
  if (file.errors.length === 0 && !resources.isMap())
    root.error('Resources is missing: it holds the services and APIs');
  for (const name of resources.names) {
    const resource = resources.at(name);
    const type = resource.text('Type');
    if (type === 'Aliyun::Serverless::Service') services.push(readService(name, resource));
    else if (type === 'Aliyun::Serverless::Api') groups.push(readGroup(name, resource, files, readText));
    else resource.warn(`resource ${name} of type ${type ?? '(none)'} is not known here and is skipped`);
  }
  root.warnUnread('the template', new Set(['Description', 'Outputs', 'Metadata']));
  const errors = files.flatMap((each) => each.errors);
  if (errors.length > 0) throw failed(errors.map(formatProblem).join('\n'));
  return { services, groups, warnings: files.flatMap((each) => each.warnings).map(formatProblem) };
}

function checkHead(root: YamlReader): void {
  const version = root.text('ROSTemplateFormatVersion');
  if (version !== formatVersion)
    root.at('ROSTemplateFormatVersion').error(`ROSTemplateFormatVersion must be '${formatVersion}'`);
  const named = root.text('Transform');
  if (named !== transform) root.at('Transform').error(`Transform must be '${transform}', not '${named ?? ''}'`);
}

function readService(name: string, resource: YamlReader): ServiceTemplate {
  const properties = resource.at('Properties');
  const service = {
    name,
    description: properties.text('Description'),
    role: properties.text('Role'),
    internetAccess: properties.boolean('InternetAccess'),
  };
  properties.warnUnread(`service ${name}`);
  const functions: FunctionTemplate[] = [];
  for (const member of resource.names) {
    if (member === 'Type' || member === 'Properties') continue;
    const nested = resource.at(member);
    const type = nested.isMap() ? nested.text('Type') : null;
    if (type === 'Aliyun::Serverless::Function') functions.push(readFunction(member, nested));
    else nested.warn(`${member} of service ${name} (type ${type ?? '(none)'}) is not known here and is skipped`);
  }
  return { ...service, functions };
}

function readGroup(
  name: string,
  resource: YamlReader,
  files: YamlFile[],
  readText: (path: string) => string,
): GroupTemplate {
  const properties = resource.at('Properties');
  const stage = properties.text('StageName')?.toUpperCase() ?? 'RELEASE';
  if (!stages.includes(stage))
    properties.at('StageName').error(`StageName must be one of ${stages.join(', ')}, not ${stage}`);
  let definition = properties.at('DefinitionBody');
  const uri = properties.text('DefinitionUri');
  if (uri !== null && !definition.isMap()) {
    const file = new YamlFile(uri, readText(uri));
    files.push(file);
    definition = file.root();
  }
  if (!definition.isMap()) properties.error(`DefinitionBody of ${name} is missing: it holds the paths of the APIs`);
  const group = {
    name: properties.text('Name') ?? name,
    description: properties.text('Description'),
    stage,
    apis: readDefinition(definition),
  };
  properties.warnUnread(`API group ${name}`);
  resource.warnUnread(`API group ${name}`, new Set(['Type']));
  return group;
}
