<?php
// HTTP handlers: `handler($request, $context): ResponseInterface` with the message classes of PSR-7. Loaded at the first
// HTTP call. The package's own RingCentral\Psr7 is used when it brings one, else ours. Source: docs.
namespace Yunmen\Agent;

use Psr\Http\Message\ResponseInterface;
use RingCentral\Psr7\ServerRequest;

// Headers beyond it would not fit a frame (PROTOCOL.md 6); a body is collected up to this size.
const HEADER_LIMIT = 16384;
const BODY_LIMIT = 16777216;

/** An answer that cannot be sent. Its name is what callers are told. */
class BadResponse extends LoadError
{
    public function __construct($message)
    {
        parent::__construct('BadResponse', $message);
    }
}

/** [head of the answer as JSON, its body] */
function callHttp(callable $handler, array $given, $body, array $context)
{
    $response = $handler(requestOf($given, $body), $context);
    if (!$response instanceof ResponseInterface) {
        throw new BadResponse('the handler returned no Psr\Http\Message\ResponseInterface');
    }
    $headers = [];
    $size = 0;
    foreach ($response->getHeaders() as $name => $values) {
        $headers[$name] = array_map('strval', (array) $values);
        foreach ($headers[$name] as $value) {
            $size += strlen($name) + strlen($value);
        }
    }
    if ($size > HEADER_LIMIT) {
        throw new BadResponse("response headers of $size bytes exceed 8192");
    }
    $text = (string) $response->getBody();
    if (strlen($text) > BODY_LIMIT) {
        throw new BadResponse('the response body exceeds ' . BODY_LIMIT . ' bytes');
    }
    $head = json_encode(['status' => $response->getStatusCode(), 'headersMap' => (object) $headers], JSON_INVALID_UTF8_SUBSTITUTE);
    return [$head, $text];
}

function requestOf(array $given, $body)
{
    $request = new ServerRequest($given['method'], $given['requestURI'], $given['headersMap'], $body);
    $queries = array_map(function ($values) {
        return count($values) === 1 ? $values[0] : $values;
    }, $given['queriesMap']);
    $attributes = [
        'path' => $given['path'],
        'queries' => $queries,
        'requestURI' => $given['requestURI'],
        'clientIP' => $given['clientIP'],
    ];
    foreach ($attributes as $name => $value) {
        $request = $request->withAttribute($name, $value);
    }
    return $request->withQueryParams($queries);
}
