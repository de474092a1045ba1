// Reads members out of SDK answers, whose types differ by SDK: at(answer, 'Apis.Api.0.ApiId').

/** The member at a path; undefined when it is not there. */
export function at(value: unknown, path: string): unknown {
  let here: unknown = value;
  for (const name of path.split('.')) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[name];
  }
  return here;
}

/** The text at a path. Errors: throws when there is none, so that a later assertion does not compare nothing with nothing. */
export function textAt(value: unknown, path: string): string {
  const found = at(value, path);
  if (typeof found !== 'string') throw new Error(`no text at ${path}: ${JSON.stringify(value)}`);
  return found;
}

/** The list at a path. Errors: throws when there is none. */
export function items(value: unknown, path: string): readonly unknown[] {
  const found = at(value, path);
  if (!Array.isArray(found)) throw new Error(`no list at ${path}: ${JSON.stringify(value)}`);
  return found;
}

/** One member of every row of a list, in order. */
export function column(value: unknown, path: string, member: string): unknown[] {
  return items(value, path).map((row) => at(row, member));
}
