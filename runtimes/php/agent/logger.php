<?php
// $GLOBALS['fcLogger']: the levels of PSR-3, and the older names of Monolog 1.
// Source: docs; the line's form is that of the other languages, assumed.
namespace Yunmen\Agent;

class Logger
{
    private $output;

    public function __construct(Output $output)
    {
        $this->output = $output;
    }

    public function __call($name, $arguments)
    {
        $level = strtolower(preg_replace('/^add/', '', $name));
        $aliases = ['warn' => 'warning', 'err' => 'error', 'crit' => 'critical', 'emerg' => 'emergency'];
        $level = isset($aliases[$level]) ? $aliases[$level] : $level;
        $levels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];
        if (!in_array($level, $levels, true)) {
            throw new \BadMethodCallException("the logger has no method $name");
        }
        $this->log($level, isset($arguments[0]) ? $arguments[0] : '', isset($arguments[1]) ? $arguments[1] : []);
    }

    public function log($level, $message, array $context = [])
    {
        $now = microtime(true);
        $when = gmdate('Y-m-d\TH:i:s', (int) $now) . sprintf('.%03dZ', (int) (($now - floor($now)) * 1000));
        $id = $this->output->requestId === '' ? '' : $this->output->requestId . ' ';
        $more = $context === [] ? '' : ' ' . json_encode($context, JSON_PARTIAL_OUTPUT_ON_ERROR | JSON_UNESCAPED_UNICODE);
        $this->output->write("$when {$id}[" . strtoupper($level) . "] $message$more\n");
    }
}
