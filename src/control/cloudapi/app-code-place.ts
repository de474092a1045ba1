// Where the APIs of a group take the code of simple authentication besides: the group's CustomAppCodeConfig. Called by groups.ts
// when it is given, and by group-publishing.ts.
import type { AppCodePlace } from '../../model/published.ts';
import { openApiError } from '../errors.ts';

const nameForm = /^[A-Za-z0-9][\w.-]{0,127}$/;

/**
 * Null: nowhere (an empty text or object).
 *
 * Shape: `{"location":"HEADER","name":"myAppCodeHeader"}`, the location HEADER or QUERY. Source: sdk (the example of
 * ModifyApiGroup); the second location and the code of the error are assumed.
 * Errors: InvalidCustomAppCodeConfig.
 */
export function readAppCodePlace(text: string): AppCodePlace | null {
  if (text === '') return null;
  const { location = '', name = '' } = parse(text);
  if (location === '' && name === '') return null;
  const kind = location.toLowerCase();
  if ((kind !== 'header' && kind !== 'query') || !nameForm.test(name)) throw wrong(text);
  return { kind, name: kind === 'header' ? name.toLowerCase() : name };
}

function parse(text: string): Partial<Record<'location' | 'name', string>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(text); // SyntaxError
  }
  const isRight =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([name, member]) => /^(?:location|name)$/.test(name) && typeof member === 'string');
  if (!isRight) throw wrong(text);
  return value as Partial<Record<'location' | 'name', string>>;
}

function wrong(text: string): Error {
  const form = '{"location":"HEADER","name":"myAppCodeHeader"} (or QUERY)';
  return openApiError(
    'InvalidCustomAppCodeConfig',
    `The parameter CustomAppCodeConfig must be like ${form}, not '${text.slice(0, 100)}'.`,
  );
}
