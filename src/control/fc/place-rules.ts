// What networks, mounts and logs of a service (FC 2) or function (FC 3) may be, and what of a function no server of this kind has.
// Called by setting-rules.ts and services.ts.
import { fcError } from '../errors.ts';
import { type FcRecord, fcRecord, fcText, isFcRecord } from './types.ts';

/** Mount points of one kind. Source: docs. */
const mountLimit = 5;

/** All of a group's members or none. The words are assumed. */
function checkTogether(where: string, record: FcRecord | null, members: readonly string[]): void {
  if (record === null) return;
  const isGiven = (name: string) => {
    const value = record[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== '';
  };
  const given = members.filter(isGiven);
  if (given.length === 0 || given.length === members.length) return;
  const missing = members.filter((name) => !isGiven(name));
  throw fcError('InvalidArgument', `${where} needs ${missing.join(' and ')} beside ${given.join(' and ')}`);
}

function checkMounts(settings: FcRecord, member: string, needed: readonly string[]): void {
  const points = fcRecord(settings, member)?.['mountPoints'];
  if (!Array.isArray(points)) return;
  const spelled = `${member.charAt(0).toUpperCase()}${member.slice(1)}.MountPoints`;
  if (points.length > mountLimit) {
    throw fcError(
      'InvalidArgument',
      `${spelled} contains too many values (max: ${mountLimit}, actual: ${points.length})`,
    );
  }
  for (const point of points.filter(isFcRecord)) {
    for (const name of needed) {
      if (fcText(point, name) === '') throw fcError('InvalidArgument', `Each of ${spelled} needs ${name}`);
    }
    const directory = fcText(point, 'mountDir');
    if (!directory.startsWith('/')) {
      throw fcError('InvalidArgument', `${spelled}: mountDir '${directory.slice(0, 100)}' must be an absolute path`);
    }
  }
}

/** Errors: InvalidArgument. Source: docs for counts; what belongs together assumed. */
export function checkPlaces(settings: FcRecord): void {
  checkTogether('LogConfig', fcRecord(settings, 'logConfig'), ['project', 'logstore']);
  checkTogether('VpcConfig', fcRecord(settings, 'vpcConfig'), ['vpcId', 'vSwitchIds', 'securityGroupId']);
  checkMounts(settings, 'nasConfig', ['serverAddr', 'mountDir']);
  checkMounts(settings, 'ossMountConfig', ['bucketName', 'mountDir']);
}

function refuse(what: string): never {
  throw fcError('InvalidArgument', `${what} is not supported by this server`);
}

/** Values that ask for nothing. */
const defaults: Readonly<Record<string, readonly string[]>> = {
  sessionAffinity: ['', 'NONE'],
  instanceIsolationMode: ['', 'SHARE'],
  disableInjectCredentials: ['', 'None'],
};

/** Settings that would change how a function runs here, and that this server cannot follow. Errors: InvalidArgument. */
export function refuseUnserved(settings: FcRecord): void {
  const container = fcRecord(settings, 'customContainerConfig') ?? {};
  if (fcText(settings, 'runtime') === 'custom-container' && fcText(container, 'image') === '') {
    throw fcError('InvalidArgument', 'CustomContainerConfig.Image is required');
  }
  if (container['webServerMode'] === false) refuse('CustomContainerConfig.WebServerMode false');
  const instanceType = fcText(settings, 'instanceType');
  if (/^(?:g1|fc\.gpu\..+)$/.test(instanceType)) refuse(`InstanceType ${instanceType}`);
  const gpu = fcRecord(settings, 'gpuConfig') ?? {};
  if (fcText(gpu, 'gpuType') !== '' || Number(gpu['gpuMemorySize'] ?? 0) > 0) refuse('GpuConfig');
  if (Number(settings['gpuMemorySize'] ?? 0) > 0) refuse('GpuMemorySize');
  for (const [name, values] of Object.entries(defaults)) {
    const value = fcText(settings, name);
    if (!values.includes(value)) refuse(`${name.charAt(0).toUpperCase()}${name.slice(1)} ${value.slice(0, 50)}`);
  }
  for (const name of ['juiceFsConfig', 'polarFsConfig']) {
    const points = fcRecord(settings, name)?.['mountPoints'];
    if (Array.isArray(points) && points.length > 0) refuse(`${name.charAt(0).toUpperCase()}${name.slice(1)}`);
  }
  if (settings['enableLongLiving'] === true) refuse('EnableLongLiving');
}
