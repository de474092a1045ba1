// Adds the query parameters a and b. The gateway hands them over as text.
'use strict';

exports.handler = (event, context, callback) => {
  const { queryParameters } = JSON.parse(event.toString());
  const sum = BigInt(queryParameters.a) + BigInt(queryParameters.b);
  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: { msg: String(sum) } });
};
