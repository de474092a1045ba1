// The function that a process which waits rehearses with (../spare.cjs).
'use strict';

exports.handler = (event, context, callback) => {
  const n = JSON.parse(event).queryParameters.n;
  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: JSON.stringify({ n: n }) });
};
