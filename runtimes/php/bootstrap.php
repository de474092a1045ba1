<?php
// Entry of a PHP instance: reads the start line, connects to the host, says hello, loads the function's file and serves.
// Started as `php /path/bootstrap.php` by the launcher; the protocol is told in ../PROTOCOL.md.
// Syntax that PHP 7.2 can parse, here and in agent/. The file is loaded here, so that its variables are global ones.
foreach (['wire', 'output', 'errors', 'handler', 'memory', 'logger', 'spare', 'serve'] as $yunmenPart) {
    require __DIR__ . '/agent/' . $yunmenPart . '.php';
}
unset($yunmenPart);

\Yunmen\Agent\Instance::start(\Yunmen\Agent\readStart());
try {
    if (\Yunmen\Agent\Instance::get()->awaitLoad() !== null) {
        require_once \Yunmen\Agent\Instance::get()->file();
    }
    \Yunmen\Agent\Instance::get()->loaded(null);
} catch (\Throwable $yunmenThrown) {
    \Yunmen\Agent\Instance::get()->loaded($yunmenThrown);
}
unset($yunmenThrown);
\Yunmen\Agent\Instance::get()->serve();
