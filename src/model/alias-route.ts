// The rule of an alias that sends calls to its additional versions by what they carry, and not by chance. Read by control when
// the alias is made, followed by whoever looks the function up.
import { createHash } from 'node:crypto';

export const routeConditions = ['AND', 'OR'] as const;
export const routePlaces = ['Header', 'Cookie', 'Param'] as const;
/** Those that compare go by the order of characters; `in`: the call's text is part of the rule's; `percent`: of all texts. Source: docs. */
export const routeOperators = ['>', '<', '>=', '<=', '==', '=', '!=', 'in', 'percent'] as const;

export type RouteItem = {
  readonly place: (typeof routePlaces)[number];
  readonly key: string;
  readonly operator: (typeof routeOperators)[number];
  /** Of `percent` a whole number from 1 to 100. */
  readonly value: string;
};

export type AliasRoute = { readonly condition: (typeof routeConditions)[number]; readonly items: readonly RouteItem[] };

/** What a call carries that rules look at: headers with names in lower case, the query decoded. */
export type CallContent = {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly query: readonly (readonly [name: string, value: string])[];
};

/** Whether a call goes to the additional versions. Source: docs; that a call without the field fulfils nothing is assumed. */
export function isRouted({ condition, items }: AliasRoute, content: CallContent): boolean {
  const fulfils = (item: RouteItem) => {
    const text = textAt(item, content);
    return text !== null && compare(text, item);
  };
  return condition === 'AND' ? items.every(fulfils) : items.some(fulfils);
}

function textAt({ place, key }: RouteItem, { headers, query }: CallContent): string | null {
  switch (place) {
    case 'Header':
      return textOf(headers[key.toLowerCase()]);
    case 'Param':
      return query.find(([name]) => name === key)?.[1] ?? null;
    case 'Cookie': {
      const pairs = (textOf(headers['cookie']) ?? '').split(';').map((pair) => pair.trim());
      return pairs.find((pair) => pair.startsWith(`${key}=`))?.slice(key.length + 1) ?? null;
    }
  }
}

function textOf(header: string | readonly string[] | undefined): string | null {
  if (header === undefined) return null;
  return typeof header === 'string' ? header : header.join(', ');
}

function compare(text: string, { operator, value }: RouteItem): boolean {
  switch (operator) {
    case '>':
      return text > value;
    case '<':
      return text < value;
    case '>=':
      return text >= value;
    case '<=':
      return text <= value;
    case '==':
    case '=':
      return text === value;
    case '!=':
      return text !== value;
    case 'in':
      return value.includes(text);
    case 'percent':
      return shareOf(text) < Number(value);
  }
}

/** The same text always has the same share, 0 to 99. */
function shareOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) % 100;
}
