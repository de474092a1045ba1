// Error documents {errorMessage, errorType, stackTrace}. Source: docs.
'use strict';

const path = require('path');
const home = path.dirname(__dirname) + path.sep;

function isError(value) {
  return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
}

/** The lines of err.stack up to the first frame of ours. */
function stackOf(error) {
  const lines = String(error.stack || '').split('\n');
  const end = lines.findIndex((line) => line.indexOf(home) >= 0);
  return end < 0 ? lines : lines.slice(0, end);
}

/** What the log shows of it. */
function textOf(error) {
  if (!isError(error)) return String(error);
  return stackOf(error).join('\n') || messageOf(error);
}

function messageOf(value) {
  try {
    if (isError(value)) return String(value.message);
    return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
  } catch (error) {
    return 'unprintable error'; // a hostile toString or toJSON
  }
}

function nameOf(error) {
  return typeof error.name === 'string' && error.name !== '' ? error.name : 'Error';
}

/** The document of what was thrown or rejected. Of no Error at all: form assumed. */
function unhandledDocument(error, dialect) {
  const name = isError(error) ? nameOf(error) : 'Error';
  const trace = isError(error) ? stackOf(error) : [];
  return JSON.stringify({
    errorMessage: messageOf(error),
    errorType: dialect.errorTypePrefix + name,
    stackTrace: trace,
  });
}

/** The document of what was thrown when no handler was on the stack; `how`: uncaughtException or unhandledRejection. */
function strayDocument(error, how, dialect) {
  return JSON.stringify({
    errorMessage: `FunctionUnhandledError: ${how}`,
    errorType: dialect.errorTypePrefix + (isError(error) ? nameOf(error) : 'Error'),
    stackTrace: isError(error) ? stackOf(error) : [messageOf(error)],
  });
}

/** The document of callback(err). */
function handledDocument(error, dialect) {
  if (isError(error)) {
    return JSON.stringify({ errorMessage: messageOf(error), errorType: nameOf(error), stackTrace: stackOf(error) });
  }
  if (dialect.plainErrorType === null) return JSON.stringify({ errorMessage: messageOf(error) });
  return JSON.stringify({ errorMessage: messageOf(error), errorType: dialect.plainErrorType });
}

/** An error with a documented name and message; `cause` gives the stack. */
function loadError(name, message, cause) {
  const error = new Error(message);
  error.name = name;
  const first = `${name}: ${message}`;
  const trace = cause === null ? [] : stackOf(cause);
  error.stack = [first].concat(cause !== null && trace[0] === `Error: ${message}` ? trace.slice(1) : trace).join('\n');
  return error;
}

module.exports = {
  unhandledDocument: unhandledDocument,
  strayDocument: strayDocument,
  handledDocument: handledDocument,
  loadError: loadError,
  textOf: textOf,
};
