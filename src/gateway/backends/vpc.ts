// The VPC backend: finds the place by the access grant and the operator's map, then calls it like any HTTP backend. Called by reply.ts.
import type { Backend } from '../../model/api.ts';
import type { BackendAnswer, Mapped } from '../context.ts';
import { refuse } from '../errors.ts';
import { badAddress, callAddress } from './http.ts';
import { fillVariables } from './stage-variables.ts';

type VpcBackend = Extract<Backend, { kind: 'vpc' }>;
type Place = { vpcId: string; instanceId: string; port: number; hostHeader: string | null };

/** Errors: X504VE, and those of callHttp(). Source: docs. */
export function callVpc(mapped: Mapped, backend: VpcBackend): Promise<BackendAnswer> {
  const place = placeOf(mapped, backend.vpc);
  const { backends } = mapped.deps;
  const host = backends.vpcTargets.get(`${place.vpcId}/${place.instanceId}`);
  if (host === undefined) {
    throw unmapped(
      'platform',
      `--vpc-target ${place.vpcId}/${place.instanceId}=<host>`,
      'nothing',
      `The gateway was not told where ${place.instanceId} of ${place.vpcId} is: start it with --vpc-target ${place.vpcId}/${place.instanceId}=<host>.`,
    );
  }
  const shown = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
  const address = backends.addressOf(`${backend.vpc.scheme}://${shown}:${place.port}`, place.hostHeader, true);
  if (address === null) throw badAddress(mapped, 'VpcConfig');
  return callAddress(mapped, backend, address);
}

function placeOf(mapped: Mapped, vpc: VpcBackend['vpc']): Place {
  if (vpc.accessName !== null) {
    const name = fillVariables(vpc.accessName, mapped);
    const access = mapped.snapshot.vpcAccesses.get(name);
    if (access !== undefined) return { ...access, hostHeader: vpc.hostHeader ?? access.hostHeader };
    throw unmapped(
      'api-owner',
      'a VPC access grant of that name',
      name,
      `The API ${mapped.api.apiName} names the VPC access grant ${name}, which does not exist: make it (SetVpcAccess).`,
    );
  }
  const { vpcId, instanceId, port, hostHeader } = vpc;
  if (vpcId !== null && instanceId !== null && port !== null) return { vpcId, instanceId, port, hostHeader };
  throw unmapped(
    'api-owner',
    'Name, or VpcId, InstanceId and Port',
    'a part of them',
    `The VpcConfig of the API ${mapped.api.apiName} says neither the name of a VPC access grant nor VpcId, InstanceId and Port.`,
  );
}

function unmapped(side: 'api-owner' | 'platform', expected: string, got: string, message: string): Error {
  return refuse('X504VE', {}, { side, field: 'VpcConfig', expected, got, message });
}
