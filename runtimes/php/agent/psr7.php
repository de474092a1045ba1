<?php
// RingCentral\Psr7\{Response, ServerRequest, Uri, Stream} as handlers of the cloud use them, for packages that bring none.
// Written against the interfaces of PSR-7, whichever version of them the package has (hence the return types).
namespace RingCentral\Psr7;

use Psr\Http\Message\MessageInterface;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;
use Psr\Http\Message\StreamInterface;
use Psr\Http\Message\UriInterface;

/** A body in memory. */
class Stream implements StreamInterface
{
    private $text;
    private $at = 0;

    public function __construct($text = '')
    {
        $this->text = (string) $text;
    }

    public function __toString(): string
    {
        return $this->text;
    }

    public function close(): void
    {
        $this->text = '';
    }

    public function detach()
    {
        return null;
    }

    public function getSize(): ?int
    {
        return strlen($this->text);
    }

    public function tell(): int
    {
        return $this->at;
    }

    public function eof(): bool
    {
        return $this->at >= strlen($this->text);
    }

    public function isSeekable(): bool
    {
        return true;
    }

    public function seek($offset, $whence = SEEK_SET): void
    {
        $base = $whence === SEEK_CUR ? $this->at : ($whence === SEEK_END ? strlen($this->text) : 0);
        if ($base + $offset < 0) {
            throw new \RuntimeException('cannot seek before the beginning');
        }
        $this->at = $base + $offset;
    }

    public function rewind(): void
    {
        $this->at = 0;
    }

    public function isWritable(): bool
    {
        return true;
    }

    public function write($string): int
    {
        $head = str_pad(substr($this->text, 0, $this->at), $this->at, "\0");
        $this->text = $head . $string . (string) substr($this->text, $this->at + strlen($string));
        $this->at += strlen($string);
        return strlen($string);
    }

    public function isReadable(): bool
    {
        return true;
    }

    public function read($length): string
    {
        $part = (string) substr($this->text, $this->at, $length);
        $this->at += strlen($part);
        return $part;
    }

    public function getContents(): string
    {
        return $this->read(strlen($this->text));
    }

    public function getMetadata($key = null)
    {
        return $key === null ? [] : null;
    }
}

class Uri implements UriInterface
{
    private $parts;

    public function __construct($uri = '')
    {
        $parts = parse_url((string) $uri);
        $this->parts = $parts === false ? ['path' => (string) $uri] : $parts;
    }

    private function part($name)
    {
        return isset($this->parts[$name]) ? (string) $this->parts[$name] : '';
    }

    private function with($name, $value): UriInterface
    {
        $changed = clone $this;
        $changed->parts[$name] = $value;
        return $changed;
    }

    public function getScheme(): string
    {
        return strtolower($this->part('scheme'));
    }

    public function getAuthority(): string
    {
        $user = $this->getUserInfo();
        $port = $this->getPort();
        return ($user === '' ? '' : "$user@") . $this->getHost() . ($port === null ? '' : ":$port");
    }

    public function getUserInfo(): string
    {
        $password = $this->part('pass');
        return $this->part('user') . ($password === '' ? '' : ":$password");
    }

    public function getHost(): string
    {
        return strtolower($this->part('host'));
    }

    public function getPort(): ?int
    {
        return isset($this->parts['port']) ? (int) $this->parts['port'] : null;
    }

    public function getPath(): string
    {
        return $this->part('path');
    }

    public function getQuery(): string
    {
        return $this->part('query');
    }

    public function getFragment(): string
    {
        return $this->part('fragment');
    }

    public function withScheme($scheme): UriInterface
    {
        return $this->with('scheme', $scheme);
    }

    public function withUserInfo($user, $password = null): UriInterface
    {
        $changed = clone $this;
        $changed->parts['user'] = $user;
        $changed->parts['pass'] = $password;
        return $changed;
    }

    public function withHost($host): UriInterface
    {
        return $this->with('host', $host);
    }

    public function withPort($port): UriInterface
    {
        return $this->with('port', $port);
    }

    public function withPath($path): UriInterface
    {
        return $this->with('path', $path);
    }

    public function withQuery($query): UriInterface
    {
        return $this->with('query', $query);
    }

    public function withFragment($fragment): UriInterface
    {
        return $this->with('fragment', $fragment);
    }

    public function __toString(): string
    {
        $authority = $this->getAuthority();
        return ($this->getScheme() === '' ? '' : $this->getScheme() . ':') . ($authority === '' ? '' : "//$authority")
            . $this->getPath() . ($this->getQuery() === '' ? '' : '?' . $this->getQuery())
            . ($this->getFragment() === '' ? '' : '#' . $this->getFragment());
    }
}

/** Headers and body, which requests and responses share. */
abstract class Message implements MessageInterface
{
    protected $version = '1.1';
    /** Name in lower case → [name as given, list of values]. */
    protected $lines = [];
    protected $body;

    protected function fill(array $headers, $body)
    {
        foreach ($headers as $name => $value) {
            $this->lines[strtolower((string) $name)] = [(string) $name, array_map('strval', (array) $value)];
        }
        if (is_resource($body)) {
            $body = stream_get_contents($body);
        }
        $this->body = $body instanceof StreamInterface ? $body : new Stream($body === null ? '' : $body);
    }

    public function getProtocolVersion(): string
    {
        return $this->version;
    }

    public function withProtocolVersion($version): MessageInterface
    {
        $changed = clone $this;
        $changed->version = $version;
        return $changed;
    }

    public function getHeaders(): array
    {
        $headers = [];
        foreach ($this->lines as list($name, $values)) {
            $headers[$name] = $values;
        }
        return $headers;
    }

    public function hasHeader($name): bool
    {
        return isset($this->lines[strtolower($name)]);
    }

    public function getHeader($name): array
    {
        return $this->hasHeader($name) ? $this->lines[strtolower($name)][1] : [];
    }

    public function getHeaderLine($name): string
    {
        return implode(', ', $this->getHeader($name));
    }

    public function withHeader($name, $value): MessageInterface
    {
        $changed = clone $this;
        $changed->lines[strtolower($name)] = [$name, array_map('strval', (array) $value)];
        return $changed;
    }

    public function withAddedHeader($name, $value): MessageInterface
    {
        $changed = clone $this;
        $values = array_merge($this->getHeader($name), array_map('strval', (array) $value));
        $shown = $this->hasHeader($name) ? $this->lines[strtolower($name)][0] : $name;
        $changed->lines[strtolower($name)] = [$shown, $values];
        return $changed;
    }

    public function withoutHeader($name): MessageInterface
    {
        $changed = clone $this;
        unset($changed->lines[strtolower($name)]);
        return $changed;
    }

    public function getBody(): StreamInterface
    {
        return $this->body;
    }

    public function withBody(StreamInterface $body): MessageInterface
    {
        $changed = clone $this;
        $changed->body = $body;
        return $changed;
    }
}

class Response extends Message implements ResponseInterface
{
    private $status;
    private $reason;

    public function __construct($status = 200, array $headers = [], $body = null, $version = '1.1', $reason = null)
    {
        $this->status = (int) $status;
        $this->reason = (string) $reason;
        $this->version = $version;
        $this->fill($headers, $body);
    }

    public function getStatusCode(): int
    {
        return $this->status;
    }

    public function withStatus($code, $reasonPhrase = ''): ResponseInterface
    {
        $changed = clone $this;
        $changed->status = (int) $code;
        $changed->reason = $reasonPhrase;
        return $changed;
    }

    public function getReasonPhrase(): string
    {
        return $this->reason;
    }
}

class ServerRequest extends Message implements ServerRequestInterface
{
    private $method;
    private $uri;
    private $target;
    private $server;
    private $cookies = [];
    private $query = [];
    private $files = [];
    private $parsed;
    private $attributes = [];

    public function __construct($method, $uri, array $headers = [], $body = null, $version = '1.1', array $serverParams = [])
    {
        $this->method = (string) $method;
        $this->uri = $uri instanceof UriInterface ? $uri : new Uri($uri);
        $this->version = $version;
        $this->server = $serverParams;
        $this->fill($headers, $body);
    }

    private function with($member, $value): ServerRequestInterface
    {
        $changed = clone $this;
        $changed->$member = $value;
        return $changed;
    }

    public function getRequestTarget(): string
    {
        if ($this->target !== null) {
            return $this->target;
        }
        $path = $this->uri->getPath() === '' ? '/' : $this->uri->getPath();
        return $path . ($this->uri->getQuery() === '' ? '' : '?' . $this->uri->getQuery());
    }

    public function withRequestTarget($requestTarget): RequestInterface
    {
        return $this->with('target', $requestTarget);
    }

    public function getMethod(): string
    {
        return $this->method;
    }

    public function withMethod($method): RequestInterface
    {
        return $this->with('method', $method);
    }

    public function getUri(): UriInterface
    {
        return $this->uri;
    }

    public function withUri(UriInterface $uri, $preserveHost = false): RequestInterface
    {
        $changed = $this->with('uri', $uri);
        return $preserveHost || $uri->getHost() === '' ? $changed : $changed->withHeader('Host', $uri->getHost());
    }

    public function getServerParams(): array
    {
        return $this->server;
    }

    public function getCookieParams(): array
    {
        return $this->cookies;
    }

    public function withCookieParams(array $cookies): ServerRequestInterface
    {
        return $this->with('cookies', $cookies);
    }

    public function getQueryParams(): array
    {
        return $this->query;
    }

    public function withQueryParams(array $query): ServerRequestInterface
    {
        return $this->with('query', $query);
    }

    public function getUploadedFiles(): array
    {
        return $this->files;
    }

    public function withUploadedFiles(array $uploadedFiles): ServerRequestInterface
    {
        return $this->with('files', $uploadedFiles);
    }

    public function getParsedBody()
    {
        return $this->parsed;
    }

    public function withParsedBody($data): ServerRequestInterface
    {
        return $this->with('parsed', $data);
    }

    public function getAttributes(): array
    {
        return $this->attributes;
    }

    public function getAttribute($name, $default = null)
    {
        return array_key_exists($name, $this->attributes) ? $this->attributes[$name] : $default;
    }

    public function withAttribute($name, $value): ServerRequestInterface
    {
        return $this->with('attributes', array_merge($this->attributes, [$name => $value]));
    }

    public function withoutAttribute($name): ServerRequestInterface
    {
        $attributes = $this->attributes;
        unset($attributes[$name]);
        return $this->with('attributes', $attributes);
    }
}
