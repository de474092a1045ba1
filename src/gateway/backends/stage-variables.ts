// Fills stage variables, `#name#`, into texts of an API's definition. Called by map.ts and the backends.
import { comparable, readExactNumber } from '../../base/exact-number.ts';
import type { StageRoute, StageVariable } from '../../model/api.ts';
import type { Admitted } from '../context.ts';
import { refuse } from '../errors.ts';
import { stageKey } from '../snapshot.ts';

const reference = /#([A-Za-z0-9_.-]{1,64})#/g;

/**
 * The text with every `#name#` replaced by the variable's value in the request's stage.
 *
 * Errors: I404SR for a variable that the stage lacks, or that its route gives no value.
 * Source: docs; names are case-sensitive, values are not filled in again.
 */
export function fillVariables(text: string, admitted: Admitted): string {
  if (!text.includes('#')) return text;
  return text.replace(reference, (_, name: string) => valueFor(name, admitted));
}

function valueFor(name: string, admitted: Admitted): string {
  const { snapshot, group, stage } = admitted;
  const variable = snapshot.variables.get(stageKey(group.groupId, stage))?.get(name);
  const value = variable === undefined ? null : choose(variable, admitted);
  if (value !== null) return value;
  throw refuse(
    'I404SR',
    { Reason: variable === undefined ? `variable ${name} is not defined` : `no route of ${name} matches` },
    {
      side: 'api-owner',
      field: name,
      expected: `a value of the stage variable ${name} in ${stage}`,
      got: 'none',
      message:
        variable === undefined
          ? `The definition of the API ${admitted.api.apiName} uses the stage variable ${name}, which the stage ${stage} of its group does not have: create it (CreateApiStageVariable).`
          : `The stage variable ${name} is chosen by ${variable.route?.parameterName ?? 'a parameter'}, no rule takes this request, and it has no default value.`,
    },
  );
}

function choose(variable: StageVariable, admitted: Admitted): string | null {
  if (variable.route === null) return variable.value;
  return routed(variable.route, admitted) ?? variable.value;
}

function routed(route: StageRoute, admitted: Admitted): string | null {
  const sent = parameterOf(route, admitted);
  if (sent === undefined) return null;
  const rule = route.rules.find(({ equals, min, max }) => {
    if (equals !== null) return equals === sent;
    const number = comparable(readExactNumber(sent));
    return (
      (min !== null || max !== null) && number >= comparable(min ?? -Infinity) && number <= comparable(max ?? Infinity)
    );
  });
  return rule?.value ?? null;
}

function parameterOf(route: StageRoute, admitted: Admitted): string | undefined {
  switch (route.location) {
    case 'QUERY':
      return admitted.query.get(route.parameterName);
    case 'HEAD':
      return admitted.headers.get(route.parameterName.toLowerCase());
    case 'PATH':
    case 'BODY':
      return undefined; // Refused when the variable is created.
  }
}
