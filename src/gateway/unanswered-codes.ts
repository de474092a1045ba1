// The codes of errors.ts that nothing here answers, and why. errors.test.ts holds it against the code, and
// scripts/compatibility.ts tells of it in docs/compatibility.md. Whoever makes the gateway answer one takes it off the list.
import type { GatewayErrorCode } from './errors.ts';

export const unansweredCodes: readonly { readonly why: string; readonly codes: readonly GatewayErrorCode[] }[] = [
  {
    why: 'Of plug-ins, which are not served yet.',
    codes: [
      ...(['X400PM', 'A403PR', 'A403AC', 'A403CO', 'I404CO', 'I404CH', 'T429MR', 'I504RB'] as const),
      ...(['S403JI', 'S403JU', 'I400JP', 'A401OT', 'A401OM', 'A403OL', 'A403OU'] as const),
    ],
  },
  { why: 'Of WebSocket, which is not served yet.', codes: ['I404DD'] },
  {
    why: 'Of bills and of the market, which an installation of one’s own does not have.',
    codes: ['B403OD', 'B403MO', 'B403MQ', 'B403ME', 'B403MI'],
  },
  {
    why: 'Of domains and groups that the cloud or an authority has blocked; no operation of the API blocks one.',
    codes: ['B451DO', 'B451GO', 'X403DG'],
  },
  {
    why: 'Of groups that were moved to another instance (ModifyApiGroupInstance, refused): there is one instance.',
    codes: ['I410GG'],
  },
  { why: 'Of definitions in former formats; the store brings them up to date when it is opened.', codes: ['X500ED'] },
  {
    why: 'Of a group’s list of VPCs (ModifyApiGroupVpcWhitelist, refused). DisableInternet and intranet domains answer A403IN.',
    codes: ['A403VN'],
  },
  {
    why: 'Of nodes that protect themselves by a rate. Here --instance-limit answers T429IN, and want of memory X503BZ.',
    codes: ['T429SR'],
  },
  { why: 'The other spelling of I403AA, which was seen on the wire and is answered.', codes: ['A403AA'] },
];
