// A function of a template as typed values. Called by template.ts.
import type { YamlReader } from './yaml-reader.ts';

/** A trigger that lets HTTP calls in. */
export type HttpTriggerTemplate = {
  readonly name: string;
  readonly authType: string;
  readonly methods: readonly string[];
  readonly qualifier: string | null;
};

/** A function below a service. Times in seconds, memory in MB; null = not given, the service's default holds. */
export type FunctionTemplate = {
  readonly name: string;
  /** As written, relative to the template's folder. */
  readonly codeUri: string;
  readonly handler: string;
  readonly runtime: string;
  readonly description: string | null;
  readonly memoryMb: number | null;
  readonly timeoutSeconds: number | null;
  readonly initializer: string | null;
  readonly initializationTimeoutSeconds: number | null;
  readonly instanceConcurrency: number | null;
  readonly environment: Readonly<Record<string, string>>;
  /** ARNs of layer versions, or folders and zips of the project, which are published as layers. */
  readonly layers: readonly string[];
  /** Further members of the API's function, in its spelling. */
  readonly more: Readonly<Record<string, unknown>>;
  readonly triggers: readonly HttpTriggerTemplate[];
};

export function readFunction(name: string, resource: YamlReader): FunctionTemplate {
  const properties = resource.at('Properties');
  const template: FunctionTemplate = {
    name,
    codeUri: properties.text('CodeUri') ?? './',
    handler: properties.requiredText('Handler'),
    runtime: properties.requiredText('Runtime'),
    description: properties.text('Description'),
    memoryMb: properties.integer('MemorySize', 64, 32_768),
    timeoutSeconds: properties.integer('Timeout', 1, 86_400),
    initializer: properties.text('Initializer'),
    initializationTimeoutSeconds: properties.integer('InitializationTimeout', 1, 600),
    instanceConcurrency: properties.integer('InstanceConcurrency', 1, 200),
    environment: readEnvironment(properties.at('EnvironmentVariables')),
    layers: texts(properties, 'Layers'),
    more: readMore(properties),
    triggers: readTriggers(name, resource.at('Events')),
  };
  if (/^oss:\/\//.test(template.codeUri))
    properties.at('CodeUri').error('CodeUri must be a folder or a zip of this project');
  properties.warnUnread(`function ${name}`);
  resource.warnUnread(`function ${name}`, new Set(['Type']));
  return template;
}

function readEnvironment(variables: YamlReader): Record<string, string> {
  if (variables.value !== undefined && !variables.isMap())
    variables.error('EnvironmentVariables must be a map of names and values');
  return Object.fromEntries(variables.names.map((name) => [name, variables.text(name) ?? '']));
}

/** A list of texts. */
function texts(reader: YamlReader, name: string): string[] {
  return reader.list(name).flatMap((item) => {
    if (typeof item.value === 'string' || typeof item.value === 'number') return [String(item.value)];
    item.error(`${name} must be a list of texts`);
    return [];
  });
}

/** What custom runtimes and lifecycle hooks need. Source: docs. */
function readMore(properties: YamlReader): Record<string, unknown> {
  const health = properties.at('CustomHealthCheckConfig');
  const lifecycle = properties.at('InstanceLifecycleConfig');
  const program = properties.at('CustomRuntimeConfig');
  return withoutAbsent({
    caPort: properties.integer('CAPort', 1, 65_535),
    instanceSoftConcurrency: properties.integer('InstanceSoftConcurrency', 1, 200),
    instanceType: properties.text('InstanceType'),
    diskSize: properties.integer('DiskSize', 512, 10_240),
    customRuntimeConfig: program.isMap() ? { command: texts(program, 'Command'), args: texts(program, 'Args') } : null,
    customHealthCheckConfig: health.isMap()
      ? withoutAbsent({
          httpGetUrl: health.text('HttpGetUrl'),
          initialDelaySeconds: health.integer('InitialDelaySeconds', 0, 120),
          periodSeconds: health.integer('PeriodSeconds', 1, 120),
          timeoutSeconds: health.integer('TimeoutSeconds', 1, 3),
          failureThreshold: health.integer('FailureThreshold', 1, 120),
          successThreshold: health.integer('SuccessThreshold', 1, 120),
        })
      : null,
    instanceLifecycleConfig: lifecycle.isMap()
      ? withoutAbsent({
          preFreeze: readHook(lifecycle.at('PreFreeze')),
          preStop: readHook(lifecycle.at('PreStop')),
        })
      : null,
  });
}

function readHook(hook: YamlReader): Record<string, unknown> | null {
  if (!hook.isMap()) return null;
  return withoutAbsent({ handler: hook.requiredText('Handler'), timeout: hook.integer('Timeout', 1, 90) });
}

function readTriggers(functionName: string, events: YamlReader): readonly HttpTriggerTemplate[] {
  return events.names.flatMap((name) => {
    const event = events.at(name);
    const type = event.text('Type');
    const properties = event.at('Properties');
    if (type?.toUpperCase() !== 'HTTP') {
      event.warn(
        `trigger ${name} of function ${functionName} is not deployed: type ${type ?? '(none)'} is not known here`,
      );
      return [];
    }
    const methods = texts(properties, 'Methods').map((method) => method.toUpperCase());
    if (methods.length === 0) properties.error(`trigger ${name} of function ${functionName} needs Methods`);
    const trigger = {
      name,
      authType: properties.text('AuthType')?.toLowerCase() ?? 'function',
      methods,
      qualifier: properties.text('Qualifier'),
    };
    properties.warnUnread(`trigger ${name} of function ${functionName}`);
    return [trigger];
  });
}

function withoutAbsent(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}
