// The environment of an instance, built from nothing. Called by start-plan.ts.
import type { Credentials, FunctionConfig } from '../../model/function.ts';
import type { Interpreter } from '../choose-interpreter.ts';
import { type Place, sandboxLayersPath } from '../launcher/placement.ts';

/** User keys that are ours or the cloud's. Source: docs. */
const reserved = new Set(['accessKeyID', 'accessKeySecret', 'securityToken', 'topic']);
const prefixReserved = 'FC_';
const nameForm = /^[A-Za-z][A-Za-z0-9_]*$/;

/**
 * Variables as the cloud sets them, then the user's (never a reserved one).
 *
 * Source: docs, `FC_VER_ID` on the older images and `FC_FUNCTION_VERSION` on the newer.
 */
export function instanceEnvironment(
  config: FunctionConfig,
  instance: {
    readonly instanceId: string;
    readonly place: Pick<Place, 'codePath' | 'layersPath' | 'temporaryPath'>;
    /** Null: the user's own program. */
    readonly interpreter: Interpreter | null;
    /** Those of the instance's start; the environment keeps them. */
    readonly credentials: Credentials | null;
  },
): Record<string, string> {
  const { interpreter, place } = instance;
  const { codePath, layersPath, temporaryPath } = place;
  const user: Record<string, string> = {};
  for (const [name, value] of Object.entries(config.environment)) {
    if (name.startsWith(prefixReserved) || reserved.has(name) || !nameForm.test(name) || value.includes('\0')) continue;
    user[name] = value;
  }
  const isNewImage = config.runtime === 'python3.12' || config.runtime === 'nodejs20';
  // Source: docs: only images of Python, Node and PHP write the slash.
  const hasSlash = interpreter !== null && interpreter.language !== 'java';
  return {
    PATH: `${addedPrograms(config, interpreter)}${interpreter === null ? '' : `${directoryOf(interpreter.path)}:`}/usr/local/bin:/usr/bin:/bin${layersPath === null ? '' : `:${layersPath}/bin`}`,
    LANG: 'C.UTF-8',
    HOME: temporaryPath ?? '/tmp',
    // Where /tmp is everybody's.
    ...(temporaryPath === null ? {} : { TMPDIR: temporaryPath }),
    TZ: 'UTC',
    ...(interpreter === null ? programVariables(place) : languageVariables(config, place, interpreter)),
    ...user,
    ...(interpreter === null ? {} : searchedByPython(config, place, interpreter, user)),
    ...credentialVariables(config, instance.credentials),
    FC_FUNC_CODE_PATH: hasSlash ? `${codePath}/` : codePath,
    ...(interpreter === null ? {} : { FC_RUNTIME_VERSION: interpreter.version }),
    FC_FUNCTION_NAME: config.functionName,
    FC_FUNCTION_HANDLER: config.handler,
    FC_FUNCTION_MEMORY_SIZE: String(config.memoryMb),
    FC_ACCOUNT_ID: config.accountId,
    FC_REGION: config.regionId,
    FC_INSTANCE_ID: instance.instanceId,
    ...(config.serviceName === null ? {} : { FC_SERVICE_NAME: config.serviceName, FC_QUALIFIER: config.qualifier }),
    [isNewImage ? 'FC_FUNCTION_VERSION' : 'FC_VER_ID']: config.versionId,
  };
}

/** The image's own programs come first on the path of newer Nodes. Source: docs (from Node 12 on). */
function addedPrograms({ runtime }: FunctionConfig, interpreter: Interpreter | null): string {
  const added = interpreter?.libraries?.[runtime];
  const major = Number(/^nodejs(\d+)/.exec(runtime)?.[1] ?? 0);
  return added === undefined || major < 12 ? '' : `${added}/node_modules/.bin:`;
}

/** As the image of custom runtimes sets them. Source: docs. */
function programVariables({ codePath, layersPath }: Pick<Place, 'codePath' | 'layersPath'>): Record<string, string> {
  const libraries = layersPath === null ? '' : `:${layersPath}/lib`;
  return {
    LD_LIBRARY_PATH: `${codePath}/:${codePath}/lib:/usr/local/lib${libraries}`,
    PYTHONPATH: codePath,
    BOOTSTRAP_FILE: 'bootstrap',
  };
}

function languageVariables(
  config: FunctionConfig,
  { codePath, layersPath }: Pick<Place, 'codePath' | 'layersPath'>,
  interpreter: Interpreter,
): Record<string, string> {
  const libraries = layersPath === null ? '' : `:${layersPath}/lib`;
  switch (interpreter.language) {
    case 'python':
      return { LD_LIBRARY_PATH: `${codePath}/:${codePath}/lib:/usr/local/lib${libraries}`, PYTHONUNBUFFERED: '1' };
    case 'node': {
      const major = /^nodejs(\d+)/.exec(config.runtime)?.[1] ?? '';
      // The image of nodejs16 looks where that of nodejs14 does (source: docs); its own place comes first (assumed).
      const majors = major === '16' ? ['16', '14'] : [major];
      const modules = `${layersPath ?? sandboxLayersPath}/nodejs`;
      const added = interpreter.libraries?.[config.runtime];
      return {
        LD_LIBRARY_PATH: `${codePath}/:${codePath}/lib${libraries}`,
        // Libraries that were added for this id stand where the image has its own.
        NODE_PATH: [added ?? '/usr/local/lib', ...majors.map((each) => `${modules}/node${each}`), modules]
          .map((place) => `${place}/node_modules`)
          .join(':'),
      };
    }
    case 'java':
      return { LD_LIBRARY_PATH: `${codePath}/:${codePath}/lib${libraries}` };
    case 'php':
      return {
        LD_LIBRARY_PATH: `${codePath}/:${codePath}/lib:/usr/local/lib${libraries}`,
        // The empty place first is the interpreter's own (the cloud's image has everything under /usr/local/etc/php).
        PHP_INI_SCAN_DIR: `:${codePath}/extension`,
      };
  }
}

/**
 * Python looks into layers after the code and before its own packages, whatever PYTHONPATH the user has set; then into
 * the libraries that were added for its id. Source: docs.
 */
function searchedByPython(
  { runtime }: FunctionConfig,
  { layersPath }: Pick<Place, 'layersPath'>,
  { language, version, libraries }: Interpreter,
  user: Readonly<Record<string, string>>,
): Record<string, string> {
  const added = libraries?.[runtime];
  if (language !== 'python' || (layersPath === null && added === undefined)) return {};
  const [major, minor] = version.split('.');
  const own = user['PYTHONPATH'];
  const layers =
    layersPath === null
      ? []
      : [`${layersPath}/python/lib/python${major}.${minor}/site-packages`, `${layersPath}/python`];
  const places = [...(own === undefined ? [] : [own]), ...layers, ...(added === undefined ? [] : [added])];
  return { PYTHONPATH: places.join(':') };
}

/** Only a function with a role finds them here; the context object has them always. Source: docs. */
function credentialVariables(
  { role, serviceName }: FunctionConfig,
  credentials: Credentials | null,
): Record<string, string> {
  if (role === null || credentials === null) return {};
  const { accessKeyId, accessKeySecret, securityToken } = credentials;
  const legacy = serviceName === null ? {} : { accessKeyID: accessKeyId, accessKeySecret, securityToken };
  return {
    ALIBABA_CLOUD_ACCESS_KEY_ID: accessKeyId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: accessKeySecret,
    ALIBABA_CLOUD_SECURITY_TOKEN: securityToken,
    ...legacy,
  };
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
