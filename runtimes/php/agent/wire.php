<?php
// Frames over one blocking socket: the instance's end. Used by serve.php only.
namespace Yunmen\Agent;

const HELLO = 1, LOAD = 2, INVOKE = 3, RESPONSE_HEAD = 4, CHUNK = 5, END = 6, ERROR = 7, CANCEL = 8, CREDIT = 9, PING = 10, HOOK = 11;
const FIN = 1;
const FRAME_LIMIT = 65536;
const HEADER_SIZE = 12;
const WINDOW = 262144;
// Frames of other streams that may arrive while a large result waits for credit.
const PENDING_LIMIT = 16;

/** The host sent what the protocol does not allow. */
class ProtocolError extends \Exception
{
}

/** The host closed the connection. */
class HostGone extends \Exception
{
}

class Wire
{
    private $socket;
    private $bytes = '';
    private $pending = [];

    public function __construct($socket)
    {
        $this->socket = $socket;
    }

    /** The next frame: [type, flags, stream, head as text, payload]. */
    public function next()
    {
        return $this->pending === [] ? $this->read() : array_shift($this->pending);
    }

    private function read()
    {
        while (true) {
            $size = strlen($this->bytes);
            if ($size >= HEADER_SIZE) {
                $fields = unpack('Nlength/Ckind/Cflags/nhead/Nstream', $this->bytes);
                $total = $fields['length'] + 4;
                $split = HEADER_SIZE + $fields['head'];
                if ($total > FRAME_LIMIT || $split > $total) {
                    throw new ProtocolError("frame of $total bytes with a head of {$fields['head']}");
                }
                if ($size >= $total) {
                    $head = substr($this->bytes, HEADER_SIZE, $fields['head']);
                    $payload = $total > $split ? substr($this->bytes, $split, $total - $split) : '';
                    $this->bytes = $size > $total ? substr($this->bytes, $total) : '';
                    return [$fields['kind'], $fields['flags'], $fields['stream'], $head, $payload];
                }
            }
            $this->bytes .= $this->receive();
        }
    }

    private function receive()
    {
        // A signal that the function handles interrupts it.
        for ($attempt = 0; $attempt < 100; $attempt++) {
            $part = @stream_socket_recvfrom($this->socket, FRAME_LIMIT);
            if ($part === '') {
                throw new HostGone();
            }
            if ($part !== false) {
                return $part;
            }
        }
        throw new HostGone();
    }

    /** One frame, which must fit. */
    public function send($kind, $stream, $head, $payload = '', $flags = 0)
    {
        $bytes = pack('NCCnN', 8 + strlen($head) + strlen($payload), $kind, $flags, strlen($head), $stream) . $head . $payload;
        while ($bytes !== '') {
            $done = @fwrite($this->socket, $bytes);
            if ($done === false || $done === 0) {
                throw new HostGone();
            }
            $bytes = $done === strlen($bytes) ? '' : substr($bytes, $done);
        }
    }

    /** The rest of a body that begins with `first`: reads chunks until FIN, granting credit on the way. */
    public function readBody($stream, $first)
    {
        $parts = [$first];
        $consumed = strlen($first);
        while (true) {
            list($kind, $flags, $other, , $payload) = $this->read();
            if ($kind === PING) {
                $this->send(PING, 0, '', $payload, FIN);
                continue;
            }
            if ($kind === CANCEL || $kind === CREDIT) {
                continue;
            }
            if ($kind !== CHUNK || $other !== $stream) {
                throw new ProtocolError("frame of type $kind inside the body of stream $stream");
            }
            $parts[] = $payload;
            if ($flags & FIN) {
                return implode('', $parts);
            }
            $consumed += strlen($payload);
            if ($consumed >= WINDOW / 2) {
                $this->send(CREDIT, $stream, '', pack('N', $consumed));
                $consumed = 0;
            }
        }
    }

    /**
     * Closes `stream` with `body`: one frame if it fits, else response-head, chunks and the last frame.
     * `http` is null, or the head of the answer to an HTTP call as JSON: it stands in the first frame.
     */
    public function sendBody($kind, $stream, $head, $body, $http = null)
    {
        $size = strlen($body);
        $whole = $http === null ? $head : substr($head, 0, -1) . ',"http":' . $http . '}';
        if (HEADER_SIZE + strlen($whole) + $size <= FRAME_LIMIT) {
            $this->send($kind, $stream, $whole, $body);
            return;
        }
        $this->send(RESPONSE_HEAD, $stream, $http === null ? '' : '{"http":' . $http . '}');
        $limit = FRAME_LIMIT - HEADER_SIZE;
        $sent = 0;
        $window = WINDOW;
        while ($size - $sent > min($limit - strlen($head), $window)) {
            $part = min($limit, $window, $size - $sent);
            if ($part === 0) {
                $window += $this->awaitCredit($stream);
                continue;
            }
            $this->send(CHUNK, $stream, '', substr($body, $sent, $part));
            $sent += $part;
            $window -= $part;
        }
        $this->send($kind, $stream, $head, $sent === $size ? '' : substr($body, $sent));
    }

    private function awaitCredit($stream)
    {
        while (true) {
            $frame = $this->read();
            list($kind, , $other, , $payload) = $frame;
            if ($kind === CREDIT && strlen($payload) === 4) {
                if ($other === $stream) {
                    return unpack('N', $payload)[1];
                }
            } elseif ($kind === PING) {
                $this->send(PING, 0, '', $payload, FIN);
            } elseif ($kind !== CANCEL) {
                // One request at a time: the host ends the instance if it will not wait for a cancelled one.
                if (count($this->pending) >= PENDING_LIMIT) {
                    throw new ProtocolError('too many frames while a result waits for credit');
                }
                $this->pending[] = $frame;
            }
        }
    }
}
