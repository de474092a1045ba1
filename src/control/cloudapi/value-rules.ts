// Refuses what a definition says about a parameter's values where the gateway could not apply it or no value could ever fit, before it is
// stored. Called by the actions that write definitions and models; what is stored already is not looked at.
import { comparable } from '../../base/exact-number.ts';
import { type CompileSchema, loadJsonSchemas, SchemaError } from '../../base/json-schema.ts';
import { type CompilePattern, loadPatterns, PatternError } from '../../base/safe-pattern.ts';
import type { RequestParameter } from '../../model/api.ts';
import { compileCheck, type Engines, enumMembers, typeCheckOf } from '../../model/value-check.ts';
import { openApiError } from '../errors.ts';
import type { Arguments } from '../rpc/arguments.ts';
import type { NestedRecord } from '../rpc/nested.ts';
import { memberText } from './api-config.ts';
import { readParameter } from './api-definition.ts';

function refuse(key: string, { name }: RequestParameter, detail: string): never {
  throw openApiError(`Invalid${key}`, `The ${key} of the parameter ${name} ${detail}.`);
}

function show(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function checkPattern(compile: CompilePattern, parameter: RequestParameter, source: string): void {
  try {
    compile(source);
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    const rule = 'Patterns are those of RE2, which match in linear time: no look-around and no back-references';
    refuse('RegularExpression', parameter, `cannot be used: ${error.message}. ${rule}`);
  }
}

/** Errors: Invalid{key}. `whose` says what the schema describes. */
export function checkSchema(compile: CompileSchema, text: string, key: string, whose: string): void {
  try {
    compile(text);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw openApiError(`Invalid${key}`, `The ${key} of ${whose} cannot be used as a JSON schema: ${error.message}.`);
  }
}

function checkBounds(parameter: RequestParameter): void {
  const { minValue, maxValue, minLength, maxLength } = parameter;
  if (minValue !== null && maxValue !== null && comparable(minValue) > comparable(maxValue)) {
    refuse('MinValue', parameter, `must be at most its MaxValue ${maxValue}, not ${minValue}`);
  }
  for (const [key, length] of [['MinLength', minLength] as const, ['MaxLength', maxLength] as const]) {
    if (length !== null && !(Number.isInteger(length) && length >= 0))
      refuse(key, parameter, `must be a whole number of at least 0, not ${length}`);
  }
  if (minLength !== null && maxLength !== null && minLength > maxLength) {
    refuse('MinLength', parameter, `must be at most its MaxLength ${maxLength}, not ${minLength}`);
  }
}

/** Empty members, as behind a last comma, are no values. */
function checkEnum(parameter: RequestParameter, enumValue: string): void {
  const check = typeCheckOf(parameter);
  if (check === null) return;
  const wrong = enumMembers(enumValue).find((member) => member !== '' && check(member) !== null);
  if (wrong !== undefined)
    refuse('EnumValue', parameter, `must hold values of its type: '${show(wrong)}' ${check(wrong)}`);
}

/** A default is what a client could have sent. Of an Array that is a comma list. */
function checkDefault(parameter: RequestParameter, defaultValue: string, engines: Engines): void {
  const check = compileCheck(parameter, engines);
  if (check === null) return;
  const isList = parameter.type.toLowerCase() === 'array';
  for (const value of isList ? defaultValue.split(',').map((item) => item.trim()) : [defaultValue]) {
    const reason = check(value);
    if (reason !== null)
      refuse('DefaultValue', parameter, `must be a value that the parameter may have: '${show(value)}' ${reason}`);
  }
}

/** Request parameters that clients send: of the older form of constants and system parameters only the value counts. */
function clientParameters(args: Pick<Arguments, 'records'>): RequestParameter[] {
  const isFixed = (row: NestedRecord) => ['CONSTANT', 'SYSTEM'].includes(memberText(row, 'ParameterCatalog'));
  const fixed = args
    .records('ServiceParameters')
    .filter(isFixed)
    .map((row) => memberText(row, 'ServiceParameterName'));
  const sources = args
    .records('ServiceParametersMap')
    .filter((row) => fixed.includes(memberText(row, 'ServiceParameterName')))
    .map((row) => memberText(row, 'RequestParameterName'));
  return args
    .records('RequestParameters')
    .filter((row) => !sources.includes(memberText(row, 'ApiParameterName')))
    .map(readParameter);
}

/**
 * Checks the rules of the request parameters that a call gives.
 *
 * Errors: InvalidMinValue, InvalidMinLength, InvalidMaxLength, InvalidRegularExpression, InvalidJsonScheme, InvalidEnumValue,
 * InvalidDefaultValue, InvalidLocation. Await it before a transaction: engines are loaded here.
 * Source: assumed; the service takes the patterns of Java.
 */
export async function checkValueRules(args: Pick<Arguments, 'records'>): Promise<void> {
  const parameters = clientParameters(args);
  const engines: Engines = {
    pattern: parameters.some(({ regularExpression }) => regularExpression) ? await loadPatterns() : null,
    schema: parameters.some(({ jsonScheme }) => jsonScheme) ? await loadJsonSchemas() : null,
  };
  for (const parameter of parameters) {
    const { name, regularExpression, jsonScheme, enumValue, defaultValue } = parameter;
    checkBounds(parameter);
    if (regularExpression && engines.pattern !== null) checkPattern(engines.pattern, parameter, regularExpression);
    if (jsonScheme && engines.schema !== null)
      checkSchema(engines.schema, jsonScheme, 'JsonScheme', `the parameter ${name}`);
    if (enumValue !== null) checkEnum(parameter, enumValue);
    if (defaultValue !== null) checkDefault(parameter, defaultValue, engines);
  }
}
