// Brings an action's result into the shape of the catalogue: canonical members only, lists in their wrapper, types as declared.
import type { AnswerShape } from '../catalogue.ts';

const wholeNumber = /^-?\d{16,19}$/;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The name under which a list is wrapped: `Apis` is `{"Api":[..]}`; null when the shape is no wrapper. */
function wrapperOf(shape: AnswerShape): { readonly name: string; readonly item: AnswerShape } | null {
  if (typeof shape === 'string' || Array.isArray(shape)) return null;
  const entries = Object.entries(shape);
  const [first] = entries;
  if (entries.length !== 1 || first === undefined) return null;
  const [name, inner] = first;
  if (!Array.isArray(inner)) return null;
  const item: AnswerShape | undefined = inner[0];
  return item === undefined ? null : { name, item };
}

function shapeValue(shape: AnswerShape, value: unknown): unknown {
  if (typeof shape === 'string') {
    if (value === null || value === undefined) return undefined;
    if (shape === 'string') return typeof value === 'object' ? JSON.stringify(value) : String(value);
    // What nested.ts kept by its digits: endpoint.ts writes it as a number with all of them.
    return shape === 'number' && typeof value === 'string' && wholeNumber.test(value) ? BigInt(value) : value;
  }
  if (Array.isArray(shape)) {
    const item: AnswerShape | undefined = shape[0];
    if (item === undefined || !Array.isArray(value)) return [];
    return value.map((member) => shapeValue(item, member));
  }
  const wrapper = wrapperOf(shape);
  if (wrapper !== null) {
    const items: readonly unknown[] = Array.isArray(value) ? value : [];
    return { [wrapper.name]: items.map((member) => shapeValue(wrapper.item, member)) };
  }
  if (!isRecord(value)) return undefined;
  return shapeAnswer(shape as Readonly<Record<string, AnswerShape>>, value);
}

/**
 * Shapes a whole answer. Actions give plain lists (`Apis: [..]`); a list that is missing becomes an empty one, because clients index it
 * without looking. Members that are null or not in the shape are left out.
 * Source: sdk.
 */
export function shapeAnswer(
  shape: Readonly<Record<string, AnswerShape>>,
  result: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const answer: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(shape)) {
    const value = shapeValue(member, result[name]);
    if (value !== undefined) answer[name] = value;
  }
  return answer;
}
