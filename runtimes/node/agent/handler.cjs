// Finds a handler by its name, and turns its result into bytes or text.
// Source: docs; names and texts of load errors: docs and, where it is silent, assumed.
'use strict';

const fs = require('fs');
const Module = require('module');
const path = require('path');
const errors = require('./errors.cjs');

/** Calls `done(error, function)` with the function that `name` (`[dir/]file.function`) means. */
function findHandler(name, codePath, dialect, done) {
  const dot = name.lastIndexOf('.');
  if (dot < 1 || dot === name.length - 1) {
    done(errors.loadError('InvalidHandleName', `Invalid handler '${name}'`, null));
    return;
  }
  const moduleName = name.slice(0, dot);
  const functionName = name.slice(dot + 1);
  loadModule(path.join(codePath, moduleName), codePath, dialect, (error, exported) => {
    if (error !== null) {
      done(error);
      return;
    }
    const given = exported !== null && exported !== undefined ? exported : {};
    const found = given[functionName] !== undefined ? given[functionName] : (given.default || {})[functionName];
    if (typeof found === 'function') done(null, found);
    else done(errors.loadError('HandlerNotFound', `Handler '${functionName}' missing on module '${moduleName}'`, null));
  });
}

function loadModule(base, codePath, dialect, done) {
  const mayBeEsm = dialect.takesReturned && Number(process.versions.node.split('.')[0]) >= 14;
  const endings = mayBeEsm ? ['.js', '.mjs', '.cjs'] : ['.js', '.cjs'];
  const ending = endings.find((end) => fs.existsSync(base + end));
  const file = ending === undefined ? base : base + ending;
  if (ending === undefined && !isResolvable(base)) {
    done(errors.loadError('ImportModuleError', `Cannot find module '${base}.js'`, null));
    return;
  }
  if (mayBeEsm && (ending === '.mjs' || (ending === '.js' && isModulePackage(path.dirname(file), codePath)))) {
    importModule(file, done);
    return;
  }
  let exported;
  try {
    exported = Module._load(file, null, false);
  } catch (error) {
    if (mayBeEsm && error && (error.code === 'ERR_REQUIRE_ESM' || error.code === 'ERR_REQUIRE_ASYNC_MODULE')) {
      importModule(file, done);
    } else {
      done(asLoadError(error));
    }
    return;
  }
  done(null, exported);
}

function importModule(file, done) {
  require('./import-module.cjs')
    .importModule(file)
    .then(
      (exported) => done(null, exported),
      (error) => done(asLoadError(error))
    );
}

function isResolvable(base) {
  try {
    return Module._resolveFilename(base, null, false) !== '';
  } catch (error) {
    return false; // not found: the caller says so
  }
}

/** True when the nearest package.json, from `directory` up to the code's root, says `"type": "module"`. */
function isModulePackage(directory, codePath) {
  for (let at = directory; at.indexOf(codePath) === 0; at = path.dirname(at)) {
    const file = path.join(at, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
      } catch (error) {
        return false; // no JSON: Node itself will say so when it loads the code
      }
    }
    if (at === path.dirname(at)) break;
  }
  return false;
}

function asLoadError(error) {
  if (error instanceof SyntaxError) return errors.loadError('UserCodeSyntaxError', error.message, error);
  if (error && (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND')) {
    // The first line only: the lines after it tell who required it, our files among them.
    return errors.loadError('ImportModuleError', String(error.message).split('\n')[0], error);
  }
  return error;
}

/** Bytes or text of a result. Throws what JSON.stringify throws. */
function encodeResult(result) {
  if (typeof result === 'string' || Buffer.isBuffer(result)) return result;
  if (result === null || result === undefined) return '';
  if (typeof result === 'object') {
    const text = JSON.stringify(result);
    return text === undefined ? '' : text;
  }
  if (typeof result === 'function') return String(result.constructor);
  return String(result);
}

module.exports = { findHandler: findHandler, encodeResult: encodeResult };
