<?php
// What functions print and log: echo, warnings, STDOUT, STDERR, the logger, and the markers around each request.
// fd 1 and fd 2 are one stream to the host. Every write goes out at once, so that a crash loses nothing.
// (php://stdout opened anew by a function is not seen here: the host adds markers that are missing.)
namespace Yunmen\Agent;

class Output
{
    private static $instance;
    public $requestId = '';
    private $kind = 'Invoke';
    private $isTail = false;
    private $isStartDue = false;
    private $hasStart = false;
    private $endsLine = true;

    public static function install()
    {
        self::$instance = $output = new self();
        stream_filter_register('yunmen.log', LogFilter::class);
        stream_filter_append(STDOUT, 'yunmen.log', STREAM_FILTER_WRITE);
        stream_filter_append(STDERR, 'yunmen.log', STREAM_FILTER_WRITE);
        // All that PHP itself prints passes here; functions may flush it, but not take it away.
        ob_start(function ($text) {
            if ($text !== '') {
                fwrite(STDOUT, $text);
            }
            return '';
        }, 1, PHP_OUTPUT_HANDLER_FLUSHABLE);
        return $output;
    }

    /** The same text, after the Start marker when that is due. Called for all that is written. */
    public static function mark($text)
    {
        $output = self::$instance;
        if ($text === '') {
            return $text;
        }
        if ($output->isStartDue) {
            $text = $output->takeStart() . $text;
        }
        $output->endsLine = substr($text, -1) === "\n";
        return $text;
    }

    private function takeStart()
    {
        $this->isStartDue = false;
        $this->hasStart = true;
        return ($this->endsLine ? '' : "\n") . "FC {$this->kind} Start RequestId: {$this->requestId}\n";
    }

    /**
     * A request begins: its Start marker goes out with the first output, or before anything else when a tail is wanted:
     * children write without being seen.
     */
    public function begin($kind, $requestId, $isTail)
    {
        $this->kind = $kind;
        $this->requestId = $requestId;
        $this->isTail = $isTail;
        $this->isStartDue = true;
        $this->hasStart = false;
        if ($isTail) {
            $this->write($this->takeStart());
        }
    }

    /** Completes the markers when there was output, an error, or a tail is wanted. */
    public function finish($suffix = '', $text = '')
    {
        $this->flush();
        if ($this->hasStart || $this->isTail || $suffix !== '') {
            if ($text !== '' && substr($text, -1) !== "\n") {
                $text .= "\n";
            }
            $newline = $this->endsLine ? '' : "\n";
            $this->write("{$newline}{$text}FC {$this->kind} End RequestId: {$this->requestId}{$suffix}\n");
        }
        $this->isStartDue = false;
    }

    /** Buffers that a function opened and left open go out. */
    public function flush()
    {
        while (ob_get_level() > 1) {
            ob_end_flush();
        }
    }

    public function write($text)
    {
        fwrite(STDOUT, $text);
    }
}

class LogFilter extends \php_user_filter
{
    #[\ReturnTypeWillChange]
    public function filter($in, $out, &$consumed, $closing)
    {
        while ($bucket = stream_bucket_make_writeable($in)) {
            $consumed += strlen($bucket->data);
            $bucket->data = Output::mark($bucket->data);
            $bucket->datalen = strlen($bucket->data);
            stream_bucket_append($out, $bucket);
        }
        return PSFS_PASS_ON;
    }
}
