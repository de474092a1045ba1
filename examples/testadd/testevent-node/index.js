// Answers with the event itself, to see what the gateway sends to a function.
'use strict';

exports.handler = (event, context, callback) => {
  callback(null, { isBase64Encoded: false, statusCode: 200, headers: {}, body: JSON.parse(event.toString()) });
};
