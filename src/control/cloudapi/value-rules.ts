// Refuses regular expressions and JSON schemas that the gateway could not apply, before a definition is stored.
// Called by the actions that write definitions and models.
import { type CompileSchema, loadJsonSchemas, SchemaError } from '../../base/json-schema.ts';
import { type CompilePattern, loadPatterns, PatternError } from '../../base/safe-pattern.ts';
import { openApiError } from '../errors.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { memberText } from './api-config.ts';

function checkPattern(compile: CompilePattern, parameter: string, source: string): void {
  try {
    compile(source);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    throw openApiError(
      'InvalidRegularExpression',
      `The RegularExpression of the parameter ${parameter} cannot be used: ${error.message}. Patterns are those of RE2, which match in linear time: no look-around and no back-references.`,
    );
  }
}

/** Errors: Invalid{key}. `whose` says what the schema describes. */
export function checkSchema(compile: CompileSchema, text: string, key: string, whose: string): void {
  try {
    compile(text);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw openApiError(`Invalid${key}`, `The JSON schema of ${whose} cannot be used: ${error.message}.`);
  }
}

/**
 * Checks the rules of request parameters as the wire has them.
 *
 * Errors: InvalidRegularExpression, InvalidJsonScheme. Await it before a transaction: engines are loaded here.
 * Source: assumed; the service takes the patterns of Java.
 */
export async function checkValueRules(parameters: readonly NestedRecord[]): Promise<void> {
  const texts = (key: string) =>
    parameters
      .map((row) => ({ name: memberText(row, 'ApiParameterName'), text: memberText(row, key) }))
      .filter(({ text }) => text !== '');
  const patterns = texts('RegularExpression');
  if (patterns.length > 0) {
    const compile = await loadPatterns();
    for (const { name, text } of patterns) checkPattern(compile, name, text);
  }
  const schemas = texts('JsonScheme');
  if (schemas.length > 0) {
    const compile = await loadJsonSchemas();
    for (const { name, text } of schemas) checkSchema(compile, text, 'JsonScheme', `the parameter ${name}`);
  }
}
