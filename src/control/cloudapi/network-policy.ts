// How a group is reached: versions of TLS, from the internet or not, by which of the domains that it has by itself.
import { httpsPolicies, isHttpsPolicy } from '../../model/https-policy.ts';
import type { GroupNetwork } from '../../store/rows.ts';
import type { RpcAction } from '../action.ts';
import { openApiError } from '../errors.ts';
import { commit } from '../ports.ts';
import type { Arguments } from '../rpc/arguments.ts';
import { publishGroup } from './group-publishing.ts';
import { getGroup } from './lookup.ts';

/** Source: assumed, as to what it answers to a name that is none. */
function readHttpsPolicy(args: Arguments): GroupNetwork {
  const name = args.optionalText('HttpsPolicy') ?? '';
  if (name === '') return {};
  if (isHttpsPolicy(name)) return { httpsPolicy: name };
  throw openApiError(
    'InvalidHttpsPolicy',
    `The parameter HttpsPolicy must be one of ${Object.keys(httpsPolicies).join(', ')}, not '${name.slice(0, 100)}'.`,
  );
}

/** The load balancer in a VPC and addresses of IPv6 are the cloud's; where this server listens, its operator says. */
function refuseOthers(args: Arguments): void {
  for (const name of ['InternetIPV6Enable', 'VpcSlbIntranetEnable']) {
    if (!args.isGiven(name)) continue;
    throw openApiError('UnsupportedParameter', `The parameter ${name} is not supported by this server.`);
  }
}

function readIntranetDomain(args: Arguments): GroupNetwork {
  const isEnabled = args.optionalBoolean('VpcIntranetEnable');
  return isEnabled === null ? {} : { hasIntranetDomain: isEnabled };
}

/** Changes what is given and leaves the rest. Source: docs for the meaning of each. */
function changing(read: (args: Arguments) => GroupNetwork): RpcAction {
  return async ({ args, deps }) => {
    const asked = read(args);
    await commit(deps, async (tx) => {
      const group = await getGroup(tx, args.text('GroupId'));
      const changed = { ...group, network: { ...group.network, ...asked }, modifiedAt: deps.clock.now() };
      await tx.rows.groups.update(changed);
      await publishGroup(tx, changed);
    });
    return {};
  };
}

export const modifyApiGroupNetworkPolicy = changing((args) => {
  refuseOthers(args);
  const isOpen = args.optionalBoolean('InternetEnable');
  const hasOwnDomain = args.optionalBoolean('InnerDomainEnable');
  return {
    ...readHttpsPolicy(args),
    ...readIntranetDomain(args),
    ...(isOpen === null ? {} : { isIntranetOnly: !isOpen }),
    ...(hasOwnDomain === null ? {} : { hasOwnDomain }),
  };
});

export const modifyIntranetDomainPolicy = changing(readIntranetDomain);
