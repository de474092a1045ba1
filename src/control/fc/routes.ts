// Finds the operation of a Function Compute call by method and path, from the catalogue's path patterns.
import { decodePercent } from '../../wire/percent-encoding.ts';
import type { FcCatalogue, FcOperation } from '../catalogue.ts';

export type FcRoute = {
  readonly name: string;
  readonly operation: FcOperation;
  /** Members of the path, decoded. `qualifier` from a dot suffix of the service's segment. */
  readonly members: Readonly<Record<string, string>>;
};

type Piece = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'member'; readonly name: string };
type Pattern = { readonly name: string; readonly operation: FcOperation; readonly pieces: readonly Piece[] };

/** Patterns by method and number of segments, so that a look-up compares few. */
export type FcRouter = ReadonlyMap<string, readonly Pattern[]>;

function readPiece(segment: string): Piece {
  const match = /^\{(\w+)\}(?:\[\.\{qualifier\}\])?$/.exec(segment);
  return match === null ? { kind: 'text', text: segment } : { kind: 'member', name: match[1] ?? '' };
}

/** Paths that are not one call to one operation (`proxy/...`) have a door of their own and are left out. */
export function compileFcRoutes(catalogue: FcCatalogue): FcRouter {
  const router = new Map<string, Pattern[]>();
  for (const [name, operation] of Object.entries(catalogue.operations)) {
    if (operation.path.includes('*}')) continue;
    const pieces = operation.path.slice(1).split('/').map(readPiece);
    const key = `${operation.method} ${pieces.length}`;
    const list = router.get(key) ?? [];
    list.push({ name, operation, pieces });
    router.set(key, list);
  }
  /** Literal segments win over members. */
  const literals = (pattern: Pattern) => pattern.pieces.filter((piece) => piece.kind === 'text').length;
  for (const list of router.values()) list.sort((left, right) => literals(right) - literals(left));
  return router;
}

function matchPattern(pattern: Pattern, segments: readonly string[]): Record<string, string> | null {
  const members: Record<string, string> = {};
  for (const [at, piece] of pattern.pieces.entries()) {
    const segment = segments[at] ?? '';
    if (piece.kind === 'text') {
      if (piece.text !== segment) return null;
      continue;
    }
    const value = decodePercent(segment);
    if (value === '') return null;
    const dot = piece.name === 'serviceName' ? value.indexOf('.') : -1;
    members[piece.name] = dot === -1 ? value : value.slice(0, dot);
    if (dot !== -1) members['qualifier'] = value.slice(dot + 1);
  }
  return members;
}

/** null when nothing serves this method and path. A trailing slash does not count. */
export function findFcRoute(router: FcRouter, method: string, path: string): FcRoute | null {
  const trimmed = path.endsWith('/') ? path.slice(1, -1) : path.slice(1);
  const segments = trimmed.split('/');
  for (const pattern of router.get(`${method} ${segments.length}`) ?? []) {
    const members = matchPattern(pattern, segments);
    if (members !== null) return { name: pattern.name, operation: pattern.operation, members };
  }
  return null;
}
