import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../errors.ts';
import { type Generation, withDefaults } from './function-settings.ts';
import { checkSettings } from './setting-rules.ts';
import type { FcRecord } from './types.ts';

const known = ['python3', 'custom'];
const runtimes = { isKnown: (id: string) => known.includes(id), all: known };

function check(generation: Generation, given: FcRecord): void {
  const version = generation === 'fc2' ? '2016-08-15' : '2023-03-30';
  const settings = withDefaults(version, { runtime: 'python3', handler: 'index.h', ...given });
  checkSettings(settings, { generation, runtimes });
}

describe('settings of functions', () => {
  const rows: [Generation, FcRecord, string | null][] = [
    ['fc2', {}, null],
    ['fc3', {}, null],
    ['fc2', { runtime: '10' }, "Runtime is set to an invalid value (allowed: python3 | custom, actual: '10')"],
    ['fc2', { memorySize: 3072 }, null],
    ['fc2', { memorySize: 3136 }, "MemorySize is set to an invalid value (allowed: 128-3072, actual: '3136')"],
    ['fc2', { memorySize: 4096, instanceType: 'c1' }, null],
    ['fc3', { memorySize: 32_768 }, null],
    ['fc3', { memorySize: 200 }, "MemorySize is set to an invalid value (allowed: a multiple of 64, actual: '200')"],
    ['fc2', { instanceType: 'e2' }, 'InstanceType is set'],
    [
      'fc2',
      { instanceConcurrency: 101 },
      "InstanceConcurrency is set to an invalid value (allowed: 1-100, actual: '101')",
    ],
    ['fc3', { instanceConcurrency: 200 }, null],
    ['fc2', { instanceConcurrency: 10, instanceSoftConcurrency: 11 }, 'InstanceSoftConcurrency is set'],
    ['fc2', { timeout: 0 }, 'Timeout is set'],
    ['fc3', { timeout: 86_400 }, null],
    ['fc3', { timeout: 1.5 }, 'Timeout is set'],
    ['fc2', { initializationTimeout: 301 }, 'InitializationTimeout is set'],
    ['fc3', { diskSize: 600 }, 'DiskSize is set'],
    ['fc3', { cpu: 0.35, memorySize: 512 }, null],
    ['fc3', { cpu: 0.05, memorySize: 128 }, null],
    ['fc3', { cpu: 0.07, memorySize: 128 }, 'Cpu is set to an invalid value (allowed: 0.05-16 in steps of 0.05'],
    ['fc3', { cpu: 1, memorySize: 512 }, 'Cpu is set to an invalid value (allowed: 1 to 4 GB of memory'],
    ['fc3', { cpu: 1, memorySize: 4096 }, null],
    ['fc3', { cpu: 1, memorySize: 8192 }, 'Cpu is set'],
    ['fc2', { customHealthCheckConfig: { timeoutSeconds: 4 } }, 'CustomHealthCheckConfig.TimeoutSeconds is set'],
    [
      'fc3',
      { customRuntimeConfig: { port: 0 } },
      "CustomRuntimeConfig.Port is set to an invalid value (allowed: 1-65535, actual: '0')",
    ],
    ['fc3', { customRuntimeConfig: { healthCheckConfig: { periodSeconds: 121 } } }, 'HealthCheckConfig.PeriodSeconds'],
    ['fc3', { instanceLifecycleConfig: { preStop: { handler: 'i.h', timeout: 91 } } }, 'PreStop.Timeout is set'],
    ['fc3', { instanceLifecycleConfig: { initializer: { handler: 'i.h', timeout: 300 } } }, null],
    ['fc2', { environmentVariables: { 'a-b': 'x' } }, 'EnvironmentVariables is set'],
    ['fc3', { environmentVariables: { _A: 'x' } }, 'that begin with a letter'],
    ['fc3', { environmentVariables: { A_1: 'x', FC_MINE: 'x' } }, null],
    ['fc2', { environmentVariables: { A: 'x'.repeat(4095) } }, null],
    ['fc2', { environmentVariables: { A: '云'.repeat(1366) } }, 'at most 4096 bytes'],
    ['fc2', { description: 'x'.repeat(257) }, 'Description is set'],
    ['fc2', { handler: '' }, 'Handler is required'],
    ['fc3', { handler: '', runtime: 'custom' }, null],
    ['fc3', { idleTimeout: -1 }, 'IdleTimeout is set'],
    ['fc2', { customHealthCheckConfig: { httpGetUrl: `/${'x'.repeat(2048)}` } }, 'CustomHealthCheckConfig.HttpGetUrl'],
    ['fc3', { instanceLifecycleConfig: { initializer: { command: ['x'] } } }, 'Initializer.Command is not supported'],
    ['fc3', { instanceLifecycleConfig: { preStop: { handler: 'x'.repeat(129) } } }, 'PreStop.Handler is set'],
    ['fc3', { logConfig: { project: 'p', logstore: '' } }, 'LogConfig needs logstore beside project'],
    ['fc3', { logConfig: { project: 'p', logstore: 'l' } }, null],
    ['fc3', { vpcConfig: { vpcId: '', vSwitchIds: [], securityGroupId: '' } }, null],
    [
      'fc3',
      { vpcConfig: { vpcId: 'v', vSwitchIds: [] } },
      'VpcConfig needs vSwitchIds and securityGroupId beside vpcId',
    ],
    ['fc3', { nasConfig: { mountPoints: [{ serverAddr: 'a', mountDir: '/mnt' }] } }, null],
    ['fc3', { nasConfig: { mountPoints: [{ mountDir: '/mnt' }] } }, 'Each of NasConfig.MountPoints needs serverAddr'],
    ['fc3', { ossMountConfig: { mountPoints: [{ bucketName: 'b', mountDir: 'mnt' }] } }, 'must be an absolute path'],
    [
      'fc3',
      { ossMountConfig: { mountPoints: Array.from({ length: 6 }, () => ({ bucketName: 'b', mountDir: '/m' })) } },
      'OssMountConfig.MountPoints contains too many values (max: 5, actual: 6)',
    ],
    ['fc2', { instanceType: 'fc.gpu.tesla.1' }, 'InstanceType fc.gpu.tesla.1 is not supported by this server'],
    ['fc3', { gpuConfig: { gpuType: 'fc.gpu.ampere.1' } }, 'GpuConfig is not supported'],
    ['fc3', { sessionAffinity: 'MCP_SSE' }, 'SessionAffinity MCP_SSE is not supported'],
    ['fc3', { instanceIsolationMode: 'SESSION_EXCLUSIVE' }, 'InstanceIsolationMode SESSION_EXCLUSIVE'],
    ['fc3', { polarFsConfig: { mountPoints: [{}] } }, 'PolarFsConfig is not supported'],
  ];
  for (const [generation, given, message] of rows) {
    const what = JSON.stringify(given).slice(0, 80);
    it(`${generation} ${message === null ? 'takes' : 'refuses'} ${what}`, () => {
      if (message === null) check(generation, given);
      else {
        assert.throws(
          () => check(generation, given),
          (error: unknown) => {
            assert.ok(error instanceof ApiError);
            assert.equal(error.code, 'InvalidArgument');
            assert.ok(error.message.includes(message), error.message);
            return true;
          },
        );
      }
    });
  }
});
