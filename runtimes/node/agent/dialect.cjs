// What differs between the runtime ids, as one row of facts. `nodejs16` → that row, whatever Node runs.
// Source: docs.
'use strict';

const oldVariables = ['FC_FUNC_CODE_PATH'];
// Newer ids: assumed to be what the Python runtimes let through.
const variables = oldVariables.concat([
  'FC_FUNCTION_MEMORY_SIZE',
  'FC_RUNTIME_VERSION',
  'FC_ACCOUNT_ID',
  'FC_FUNCTION_HANDLER',
  'FC_FUNCTION_NAME',
  'FC_SERVICE_NAME',
  'FC_VER_ID',
  'FC_FUNCTION_VERSION',
  'FC_QUALIFIER',
  'FC_REGION',
  'FC_INSTANCE_ID',
]);

/** The facts of a runtime id. */
function dialectOf(id) {
  const digits = /^nodejs(\d+)/.exec(id);
  const major = digits === null ? 18 : Number(digits[1]);
  return {
    /** Returned values and resolved promises are results; ES modules are loaded. */
    takesReturned: major >= 18,
    /** What a handler throws ends the process. nodejs8: assumed to be like nodejs6. */
    throwEndsProcess: major <= 8,
    /** Before the name of what was thrown. */
    errorTypePrefix: major >= 18 ? '' : 'FunctionUnhandledError: ',
    /** errorType of callback(err) with something that is no Error; null: none. */
    plainErrorType: major <= 8 ? null : 'FunctionHandledError',
    /** A promise rejected with nobody waiting fails the request (Node 15 changed that). */
    rejectionFails: major >= 16,
    /** The request of an HTTP handler has its body and the client's address as members (assumed). */
    showsHttpBody: major >= 12,
    variables: major <= 8 ? oldVariables : variables,
  };
}

module.exports = { dialectOf: dialectOf };
