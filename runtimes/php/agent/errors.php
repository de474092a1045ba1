<?php
// Error documents {errorMessage, errorType, stackTrace: {file, line, traceString}}. Source: docs.
namespace Yunmen\Agent;

/** A handler that cannot be had: its type and message, and what was thrown behind it. Names: assumed. */
class LoadError extends \Exception
{
    public $type;

    public function __construct($type, $message, $cause = null)
    {
        parent::__construct($message, 0, $cause);
        $this->type = $type;
    }
}

function documentOf(\Throwable $thrown)
{
    $type = $thrown instanceof LoadError ? $thrown->type : get_class($thrown);
    $origin = $thrown instanceof LoadError ? $thrown->getPrevious() : $thrown;
    $trace = [
        'file' => $origin === null ? '' : $origin->getFile(),
        'line' => $origin === null ? 0 : $origin->getLine(),
        'traceString' => $origin === null ? '' : traceOf($origin),
    ];
    $document = ['errorMessage' => $thrown->getMessage(), 'errorType' => $type, 'stackTrace' => $trace];
    return json_encode($document, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
}

/** The trace's lines up to the first frame of ours. */
function traceOf(\Throwable $thrown)
{
    $home = dirname(__DIR__) . '/';
    $lines = [];
    foreach (explode("\n", $thrown->getTraceAsString()) as $line) {
        if (strpos($line, $home) !== false || strpos($line, '[internal function]: Yunmen\\') !== false) {
            break;
        }
        $lines[] = $line;
    }
    return implode("\n", $lines);
}

/** What the log shows of it. */
function textOf(\Throwable $thrown)
{
    $text = '';
    if ($thrown instanceof LoadError) {
        $text = $thrown->getPrevious() === null ? '' : textOf($thrown->getPrevious());
        return "$text{$thrown->type}: {$thrown->getMessage()}\n";
    }
    $place = "{$thrown->getFile()}:{$thrown->getLine()}";
    $trace = traceOf($thrown);
    return get_class($thrown) . ": {$thrown->getMessage()} in $place\n" . ($trace === '' ? '' : "$trace\n");
}
