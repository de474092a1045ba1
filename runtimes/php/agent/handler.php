<?php
// Finds a handler by its name, makes the context, and turns results into bytes.
// Source: docs; the names of load errors: assumed.
namespace Yunmen\Agent;

/** All other variables beginning with FC_ or _FC_ are removed before user code runs. Assumed to be Python's list. */
const VISIBLE = [
    'FC_FUNC_CODE_PATH', 'FC_FUNCTION_MEMORY_SIZE', 'FC_RUNTIME_VERSION', 'FC_ACCOUNT_ID', 'FC_FUNCTION_HANDLER',
    'FC_FUNCTION_NAME', 'FC_SERVICE_NAME', 'FC_VER_ID', 'FC_QUALIFIER', 'FC_REGION', 'FC_INSTANCE_ID', 'FC_FUNCTION_VERSION',
];

function cleanEnvironment()
{
    // By way of $GLOBALS: a function that names $_SERVER makes it when it is compiled, and here that may be long before the call.
    foreach (array_keys(getenv()) as $name) {
        if (preg_match('/^_?FC_/', $name) && !in_array($name, VISIBLE, true)) {
            putenv($name);
            unset($GLOBALS['_ENV'][$name], $GLOBALS['_SERVER'][$name]);
        }
    }
}

/** [file, function] of `[dir/]file.function`. */
function splitHandler($name, $codePath)
{
    $dot = strrpos($name, '.');
    if ($dot === false || $dot === 0 || $dot === strlen($name) - 1) {
        throw new LoadError('InvalidHandleName', "Invalid handler '$name'");
    }
    $module = substr($name, 0, $dot);
    $file = "$codePath/$module.php";
    if (!is_file($file)) {
        throw new LoadError('ImportModuleError', "Unable to import module '$module'");
    }
    return [$file, substr($name, $dot + 1)];
}

/** The callable, when its file has been loaded. */
function callableOf($function, $name)
{
    if (!is_callable($function)) {
        $module = substr($name, 0, strrpos($name, '.'));
        throw new LoadError('HandlerNotFound', "Handler '$function' is missing on module '$module'");
    }
    return $function;
}

/** What the file threw while it was loaded, as its documented error. */
function asLoadError(\Throwable $thrown, $name)
{
    if ($thrown instanceof LoadError) {
        return $thrown;
    }
    $module = substr($name, 0, strrpos($name, '.'));
    if ($thrown instanceof \ParseError) {
        return new LoadError('UserCodeSyntaxError', "Syntax error in module '$module'", $thrown);
    }
    return new LoadError('UserCodeError', "Module initialization error: '{$thrown->getMessage()}'", $thrown);
}

/** Text as it is, nothing as nothing (assumed), all else JSON. */
function encodeResult($result)
{
    if (is_string($result)) {
        return $result;
    }
    if ($result === null) {
        return '';
    }
    $text = json_encode($result);
    if ($text === false) {
        throw new \TypeError('the result is not serialisable: ' . json_last_error_msg());
    }
    return $text;
}

/** `span`: the caller's {context, baggages}, or null. */
function contextOf(array $given, $requestId, $retryCount, $span)
{
    $service = $given['service'];
    $function = $given['function'];
    if ($service['name'] === '') {
        unset($service['name'], $function['initializer'], $function['initializationTimeout']); // FC 3
    }
    return [
        'requestId' => $requestId,
        'credentials' => $given['credentials'] === null
            ? ['accessKeyId' => '', 'accessKeySecret' => '', 'securityToken' => '']
            : $given['credentials'],
        'function' => $function,
        'service' => $service,
        'region' => $given['region'],
        'accountId' => $given['accountId'],
        'retryCount' => $retryCount,
        'tracing' => [
            'openTracingSpanContext' => $span === null ? '' : $span['context'],
            'openTracingSpanBaggages' => $span === null ? [] : $span['baggages'],
            'jaegerEndpoint' => isset($given['jaegerEndpoint']) ? $given['jaegerEndpoint'] : '',
        ],
    ];
}
