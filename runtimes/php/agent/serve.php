<?php
// The life of an instance: hello, load, then one request after the other. Entered by bootstrap.php.
namespace Yunmen\Agent;

const UNHANDLED_SUFFIX = ', Error: Unhandled function error';
const MARKER_WORDS = ['initialize' => 'Initialize', 'preFreeze' => 'PreFreeze', 'preStop' => 'PreStop'];

class Instance
{
    private static $instance;
    private $wire;
    private $output;
    private $memory;
    private $stream = 0;
    private $codePath = '';
    private $handlerName = '';
    private $file;
    private $function;
    private $handler;
    private $given;
    /** Holds /dev/null on fd 0. */
    private $null;

    /** Connects and says hello. `given` is what the start line holds. */
    public static function start($given)
    {
        if (!is_array($given)) {
            fwrite(STDERR, "no start line on standard input\n");
            exit(1);
        }
        $instance = new self();
        fclose(STDIN);
        $instance->null = fopen('/dev/null', 'r'); // takes the lowest free descriptor: 0
        $instance->wire = new Wire($given['connection'] ?? connect($given['socket']));
        $instance->output = Output::install();
        $instance->memory = new PeakMemory();
        $GLOBALS['fcLogger'] = new Logger($instance->output);
        $version = PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION . '.' . PHP_RELEASE_VERSION;
        $hello = ['token' => $given['token'], 'protocol' => 1, 'language' => 'php', 'version' => $version, 'pid' => getmypid()];
        $instance->wire->send(HELLO, 0, json_encode($hello));
        self::$instance = $instance;
    }

    public static function get()
    {
        return self::$instance;
    }

    /** Waits for the load frame; the handler's file, or null when there is none to load. */
    public function awaitLoad()
    {
        return $this->guard(function () {
            while (true) {
                list($kind, , $stream, $head, $payload) = $this->wire->next();
                if ($kind === PING) {
                    $this->wire->send(PING, 0, '', $payload, FIN);
                    continue;
                }
                if ($kind !== LOAD) {
                    throw new ProtocolError("unexpected frame of type $kind");
                }
                return $this->takeLoad($stream, json_decode($head, true));
            }
        });
    }

    private function takeLoad($stream, $head)
    {
        $this->stream = $stream;
        $this->given = $head['context'];
        $this->codePath = $head['codePath'];
        $this->handlerName = $head['handler'];
        cleanEnvironment();
        chdir($this->codePath);
        set_include_path($this->codePath . PATH_SEPARATOR . get_include_path());
        spl_autoload_register(__NAMESPACE__ . '\loadOwnPsr7');
        list($this->file, $this->function) = splitHandler($this->handlerName, $this->codePath);
        meetDebugger();
        return $this->file;
    }

    public function file()
    {
        return $this->file;
    }

    /** The file has been loaded, or `thrown` came instead. */
    public function loaded($thrown)
    {
        $this->guard(function () use ($thrown) {
            if ($thrown === null) {
                try {
                    $this->handler = callableOf($this->function, $this->handlerName);
                } catch (LoadError $missing) {
                    $thrown = $missing;
                }
            }
            $this->output->flush();
            if ($thrown === null) {
                $this->wire->send(END, $this->stream, '{"rss":' . $this->memory->kilobytes() . '}');
                return;
            }
            $error = asLoadError($thrown, $this->handlerName);
            $this->output->write(textOf($error));
            $this->fail($this->stream, $error);
        });
    }

    public function serve()
    {
        $this->guard(function () {
            while (true) {
                list($kind, $flags, $stream, $head, $payload) = $this->wire->next();
                if ($kind === INVOKE) {
                    $this->invoke($stream, $flags, json_decode($head, true), $payload);
                } elseif ($kind === PING) {
                    $this->wire->send(PING, 0, '', $payload, FIN);
                } elseif ($kind === HOOK) {
                    $this->hook($stream, json_decode($head, true));
                } elseif ($kind !== CANCEL && $kind !== CREDIT) { // those two may come after their stream has closed
                    throw new ProtocolError("unexpected frame of type $kind");
                }
            }
        });
    }

    private function invoke($stream, $flags, $head, $event)
    {
        if ($this->handler === null) {
            throw new ProtocolError('invoke without a loaded handler');
        }
        if (!($flags & FIN)) {
            $event = $this->wire->readBody($stream, $event);
        }
        if (isset($head['credentials'])) {
            $this->given['credentials'] = $head['credentials'];
        }
        meetDebugger();
        $this->output->begin('Invoke', $head['requestId'], $head['tail']);
        $this->memory->begin();
        $retryCount = isset($head['retryCount']) ? $head['retryCount'] : 0;
        $span = isset($head['span']) ? $head['span'] : null;
        $context = contextOf($this->given, $head['requestId'], $retryCount, $span);
        $http = null;
        try {
            if (isset($head['http'])) {
                require_once __DIR__ . '/http.php';
                list($http, $result) = callHttp($this->handler, $head['http'], $event, $context);
            } else {
                $result = encodeResult(($this->handler)($event, $context));
            }
        } catch (\Throwable $thrown) {
            $this->output->finish(UNHANDLED_SUFFIX, textOf($thrown));
            $this->fail($stream, $thrown);
            return;
        }
        $this->output->finish();
        $this->wire->sendBody(END, $stream, '{"rss":' . $this->memory->kilobytes() . '}', $result, $http);
    }

    private function hook($stream, $head)
    {
        $word = isset(MARKER_WORDS[$head['hook']]) ? MARKER_WORDS[$head['hook']] : 'Hook';
        $this->output->begin($word, $head['requestId'], false);
        try {
            list($file, $function) = splitHandler($head['handler'], $this->codePath);
            require_once $file;
            callableOf($function, $head['handler'])(contextOf($this->given, $head['requestId'], 0, null));
        } catch (\Throwable $thrown) {
            $this->output->finish(UNHANDLED_SUFFIX, textOf($thrown));
            $this->fail($stream, $thrown);
            return;
        }
        $this->output->finish();
        $this->wire->send(END, $stream, '{"rss":' . $this->memory->kilobytes() . '}');
    }

    private function fail($stream, \Throwable $thrown)
    {
        $head = '{"type":"UnhandledInvocationError","rss":' . $this->memory->kilobytes() . '}';
        $this->wire->sendBody(ERROR, $stream, $head, documentOf($thrown));
    }

    /** What ends the instance when the connection does. */
    private function guard(callable $run)
    {
        try {
            return $run();
        } catch (HostGone $gone) {
            exit(0);
        } catch (ProtocolError $error) {
            $this->output->write("protocol error: {$error->getMessage()}\n");
            exit(1);
        }
    }
}

/** A debugger that listens by now takes part from here on. The host asks for it by this setting; off otherwise. */
function meetDebugger()
{
    if (ini_get('xdebug.mode') === 'debug' && !\xdebug_is_debugger_active()) {
        \xdebug_connect_to_client();
    }
}

/** The message classes that HTTP handlers are given, for packages that bring none. Asked after the package's own loaders. */
function loadOwnPsr7($class)
{
    if (strpos($class, 'Psr\Http\Message\\') === 0) {
        require_once __DIR__ . '/psr-interfaces.php';
    } elseif (strpos($class, 'RingCentral\Psr7\\') === 0) {
        require_once __DIR__ . '/psr7.php';
    }
}
