<?php
// A process that waits for a function: says that it is ready, takes its start line, and puts the environment that comes
// in it in the place of its own. Used by serve.php when FC_SPARE is set; see "Spares" in ../../PROTOCOL.md. Read by every
// process, waiting or not: functions can list what has been included and declared.
namespace Yunmen\Agent;

const READY = "FC_SPARE ready\n";
/** As long as the longest start line and more. */
const LINE_LIMIT = 65536;

/** The start line. One that waits gets it with its environment, which is in place then; it ends when nobody will send one. */
function readStart()
{
    if (getenv('FC_SPARE') === false) {
        return json_decode((string) fgets(STDIN, 4097), true);
    }
    rehearse();
    $connection = connect(explode(' ', getenv('FC_SPARE'))[0]);
    $output = fopen('php://stdout', 'w');
    fwrite($output, READY);
    fclose($output);
    $line = fgets(STDIN, LINE_LIMIT);
    if ($line === false) {
        exit(0);
    }
    $given = json_decode($line, true);
    takeEnvironment($given['environment']);
    $given['connection'] = $connection;
    return $given;
}

/** The way to the host; without it there is nothing to do. */
function connect($path)
{
    $connection = stream_socket_client("unix://$path");
    if ($connection === false) {
        exit(1);
    }
    return $connection;
}

/** What a first frame touches, touched before a function comes: pages of the interpreter that are read from the disk then. */
function rehearse()
{
    list($host, $instance) = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
    $there = new Wire($host);
    $here = new Wire($instance);
    $here->send(HELLO, 0, json_encode(['token' => '', 'protocol' => 1]));
    json_decode($there->next()[3], true);
    $there->send(LOAD, 1, '{"handler":"","context":{"function":{}}}');
    json_decode($here->next()[3], true);
    $here->send(END, 1, '{"rss":' . (new PeakMemory())->kilobytes() . '}');
    $there->next();
}

/** `given` becomes the whole environment: for getenv(), children, and in /proc/self/environ. */
function takeEnvironment(array $given)
{
    $old = getenv();
    foreach (array_keys($old) as $name) {
        putenv($name);
    }
    foreach ($given as $name => $value) {
        putenv("$name=$value");
    }
    // There already only where the operator's php.ini says so; made by the function's code otherwise.
    foreach (['_SERVER', '_ENV'] as $made) {
        if (!empty($GLOBALS[$made])) {
            $GLOBALS[$made] = $given + array_diff_key($GLOBALS[$made], $old);
        }
    }
    $stat = file_get_contents('/proc/self/stat');
    $fields = explode(' ', substr($stat, strrpos($stat, ')') + 2));
    $begin = (int) $fields[47];
    $size = (int) $fields[48] - $begin;
    $data = '';
    foreach ($given as $name => $value) {
        $data .= "$name=$value\0";
    }
    if (strlen($data) > $size) {
        return;
    }
    // Nothing refers to what the process was started with any more: all of it has been set anew above.
    $memory = fopen('/proc/self/mem', 'r+b');
    fseek($memory, $begin);
    fwrite($memory, str_pad($data, $size, "\0"));
    fclose($memory);
}
