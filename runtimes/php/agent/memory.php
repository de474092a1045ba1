<?php
// Peak memory of this process, cheaply enough to be told with every answer.
namespace Yunmen\Agent;

// How old a figure may get, and how long a request must be to have it read anew: a shorter one cannot touch much. Seconds.
const STALE = 0.1;
const LONG = 0.001;

/** Reads VmHWM. (The peak of getrusage is no use: exec keeps the peak of the process that started us.) */
class PeakMemory
{
    private $began;
    private $readAt;
    private $known;

    public function __construct()
    {
        $this->began = $this->readAt = microtime(true);
        $this->known = $this->read();
    }

    public function begin()
    {
        $this->began = microtime(true);
    }

    public function kilobytes()
    {
        $now = microtime(true);
        if ($now - $this->began > LONG || $now - $this->readAt > STALE) {
            $this->known = $this->read();
            $this->readAt = $now;
        }
        return $this->known;
    }

    private function read()
    {
        $text = @file_get_contents('/proc/self/status');
        if ($text !== false && preg_match('/VmHWM:\s*(\d+)/', $text, $found)) {
            return (int) $found[1];
        }
        return (int) ceil(memory_get_peak_usage(true) / 1024);
    }
}
