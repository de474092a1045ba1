// The rule of an alias, from its settings. Called by aliases.ts.
import {
  type AliasRoute,
  type RouteItem,
  routeConditions,
  routeOperators,
  routePlaces,
} from '../../model/alias-route.ts';
import type { AliasRow } from '../../store/rows.ts';
import { fcError } from '../errors.ts';
import { refuseSetting } from './setting-rules.ts';
import { type FcRecord, fcText, isFcRecord } from './types.ts';

/** Items of one rule. Source: assumed. */
const itemLimit = 50;

/** Null: the alias goes by shares. Errors: InvalidArgument. Source: docs for members and operators, the words assumed. */
export function routeOf({
  resolvePolicy,
  routePolicy,
}: Pick<AliasRow, 'resolvePolicy' | 'routePolicy'>): AliasRoute | null {
  if (resolvePolicy !== 'Content') return null;
  const policy = isFcRecord(routePolicy) ? routePolicy : {};
  const items = policy['policyItems'];
  if (!Array.isArray(items) || items.length === 0 || items.length > itemLimit || !items.every(isFcRecord)) {
    throw fcError('InvalidArgument', `RoutePolicy.PolicyItems must be a list of 1 to ${itemLimit} rules`);
  }
  return {
    condition: oneOf('RoutePolicy.Condition', routeConditions, fcText(policy, 'condition') || 'AND'),
    items: items.map(itemOf),
  };
}

function itemOf(given: FcRecord): RouteItem {
  const [key, value] = [fcText(given, 'key'), fcText(given, 'value')];
  if (key === '') throw fcError('InvalidArgument', 'Each of RoutePolicy.PolicyItems needs a key');
  const operator = oneOf('RoutePolicy.PolicyItems.Operator', routeOperators, fcText(given, 'operator'));
  if (operator === 'percent' && !/^(?:[1-9]\d?|100)$/.test(value)) {
    refuseSetting('RoutePolicy.PolicyItems.Value', 'a whole number from 1 to 100', value);
  }
  return { place: oneOf('RoutePolicy.PolicyItems.Type', routePlaces, fcText(given, 'type')), key, operator, value };
}

function oneOf<Text extends string>(name: string, allowed: readonly Text[], given: string): Text {
  return (
    allowed.find((each) => each.toLowerCase() === given.toLowerCase()) ??
    refuseSetting(name, allowed.join(' | '), given)
  );
}
