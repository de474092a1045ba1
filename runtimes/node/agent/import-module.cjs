// Loads an ES module. A file of its own: old Nodes cannot parse `import()`, and never come here.
'use strict';

const { pathToFileURL } = require('url');

exports.importModule = (file) => import(pathToFileURL(file).href);
