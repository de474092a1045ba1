// The commands, their flags and their help. Each action loads its own file only when it runs, so that help stays fast.
import { Command, Option } from 'commander';
import type { CallFlags } from './commands/call.ts';
import type { DoctorFlags } from './commands/doctor.ts';
import type { ExecFlags } from './commands/exec.ts';
import type { FunctionFlags } from './commands/function.ts';
import type { ImageFlags } from './commands/image.ts';
import type { InvokeFlags } from './commands/invoke.ts';
import type { KeyFlags } from './commands/key.ts';
import type { LayerFlags } from './commands/layer.ts';
import type { LogsFlags } from './commands/logs.ts';
import type { RuntimeFlags } from './commands/runtime.ts';
import type { ServeFlags } from './commands/serve.ts';
import type { WhyFlags } from './commands/why.ts';
import { environmentName, type ServerFlag, serverFlags } from './server-flags.ts';
import type { CliDeps } from './server-port.ts';

/** Told the exit code of the command that ran. */
export type Finish = (exitCode: number) => void;

const json = () => new Option('--json', 'machine readable: one JSON object a line on stdout');

/** The whole program. Commander's own errors and help arrive as CommanderError: run.ts turns them into exit codes. */
export function createProgram(deps: CliDeps, finish: Finish): Command {
  const program = new Command('yunmen');
  program
    .description('An API gateway and function compute platform that anyone can run.')
    .version(deps.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show this help, or that of a command')
    .helpCommand('help [command]', 'show the help of a command')
    .configureOutput({
      writeOut: (text) => deps.stdout.write(text),
      writeErr: (text) => deps.stderr.write(text),
    })
    .showHelpAfterError('(yunmen --help lists the commands)')
    .showSuggestionAfterError(true)
    .exitOverride();
  addServerCommands(program, deps, finish);
  addFunctionCommands(program, deps, finish);
  addLayerCommands(program, deps, finish);
  addInvokeCommand(program, deps, finish);
  addExecCommand(program, deps, finish);
  addCallCommand(program, deps, finish);
  addWhyCommand(program, deps, finish);
  addLogsCommand(program, deps, finish);
  addKeyCommands(program, deps, finish);
  addRuntimeCommands(program, deps, finish);
  addImageCommands(program, deps, finish);
  addDoctorCommand(program, deps, finish);
  program.addHelpText(
    'after',
    examples(['yunmen dev examples/testadd', 'yunmen call POST /testadd -d a=1 -d b=2', 'yunmen help call']) +
      exitCodes,
  );
  return program;
}

const exitCodes = '\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 cannot reach the server.\n';

function addServerCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const start = withServerFlags(program.command('start'))
    .description('run a server in the foreground')
    .action(async (options: Record<string, string | boolean>) => {
      const { start: run } = await import('./commands/serve.ts');
      finish(await run(serveFlags(options), deps));
    });
  start.addHelpText(
    'after',
    `${examples(['yunmen start', 'yunmen start --gateway-port 0 --api-port 0 --http-port 0 --json', 'YUNMEN_DATA_DIR=/srv/yunmen yunmen start --host 0.0.0.0'])}\nEvery flag can be given in the environment: --gateway-port is ${environmentName('gateway-port')}.\nSIGTERM or Ctrl-C stops the server.\n`,
  );
  const dev = withServerFlags(program.command('dev'))
    .description('run a server with a project, redeployed when you save a file')
    .argument('[dir]', 'folder with a template.yml', '.')
    .option(
      '--debug <function>',
      'open the debugger of this function (Node, Java, Python with debugpy, PHP with Xdebug)',
    )
    .option('--debug-port <port>', 'where it listens (default: 9229, 5005, 5678); of PHP where the editor does (9003)')
    .action(async (dir: string, options: Record<string, string | boolean>) => {
      const { dev: run } = await import('./commands/serve.ts');
      const { debug, debugPort } = options as { debug?: string; debugPort?: string };
      finish(await run(dir, { ...serveFlags(options), debug, debugPort }, deps));
    });
  dev.addHelpText(
    'after',
    examples(['yunmen dev', 'yunmen dev examples/testadd', 'yunmen dev examples/testadd --debug add']),
  );
}

function addFunctionCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const group = program.command('function').alias('fn').description('create, change and look at functions');
  group.showHelpAfterError('(yunmen function --help lists the commands)');
  const load = () => import('./commands/function.ts');
  const named = (verb: string, description: string) =>
    withTarget(group.command(verb))
      .description(description)
      .argument('<name>', 'function, or service/function')
      .option('--service <name>', 'the service that holds the function (FC 2)');
  withSettings(named('create', 'create a function from a folder or a zip'), true)
    .action(async (name: string, flags: FunctionFlags) => finish(await (await load()).create(name, flags, deps)))
    .addHelpText(
      'after',
      examples([
        'yunmen function create hello --code ./hello --runtime python3.10 --handler index.handler',
        'yunmen function create shop/cart --code cart.zip --runtime nodejs20 --handler index.handler --memory 256 --timeout 10 --env STAGE=dev',
      ]),
    );
  withSettings(named('update', 'change what the flags name'), false)
    .action(async (name: string, flags: FunctionFlags) => finish(await (await load()).update(name, flags, deps)))
    .addHelpText(
      'after',
      examples(['yunmen function update hello --code ./hello', 'yunmen function update hello --timeout 30']),
    );
  named('get', 'show a function')
    .action(async (name: string, flags: FunctionFlags) => finish(await (await load()).get(name, flags, deps)))
    .addHelpText('after', examples(['yunmen function get hello', 'yunmen function get shop/cart --json']));
  named('url', 'give a function a URL of its own, and show it')
    .option('--auth <type>', 'anonymous or function (signed)', 'anonymous')
    .option('--methods <list>', 'HTTP methods, such as GET,POST (default: all)')
    .action(async (name: string, flags: FunctionFlags) => finish(await (await load()).url(name, flags, deps)))
    .addHelpText('after', examples(['yunmen function url hello', 'yunmen function url shop/cart --methods GET,POST']));
  named('delete', 'delete a function')
    .action(async (name: string, flags: FunctionFlags) => finish(await (await load()).remove(name, flags, deps)))
    .addHelpText('after', examples(['yunmen function delete hello']));
  withTarget(group.command('list'))
    .description('list the functions')
    .option('--service <name>', 'of this service (FC 2)')
    .action(async (flags: FunctionFlags) => finish(await (await load()).list(flags, deps)))
    .addHelpText('after', examples(['yunmen function list', 'yunmen function list --service shop --json']));
}

function withSettings(command: Command, isCreate: boolean): Command {
  const option = (flags: string, help: string) => new Option(flags, help).makeOptionMandatory(isCreate);
  return command
    .addOption(option('--code <path>', 'folder or zip'))
    .addOption(option('--runtime <id>', 'such as python3.10 or nodejs20'))
    .addOption(option('--handler <handler>', 'such as index.handler'))
    .option('--memory <mb>', 'memory in MB')
    .option('--timeout <seconds>', 'time-out of an invocation in seconds')
    .option('--env <NAME=value>', 'environment variable; may be repeated', collect)
    .option('--layer <arn>', 'layer version; may be repeated, later ones lie over earlier ones', collect)
    .option('--command <words>', 'what starts a custom runtime (default: the file bootstrap)')
    .option('--port <port>', 'where it listens (default: 9000)')
    .option('--concurrency <count>', 'requests that one instance runs at a time')
    .option('--description <text>', 'description');
}

function addLayerCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const group = program.command('layer').description('publish, list and delete layers: files that functions share');
  group.showHelpAfterError('(yunmen layer --help lists the commands)');
  const load = () => import('./commands/layer.ts');
  withTarget(group.command('publish'))
    .description('make a new version of a layer from a folder or a zip; functions see it at /opt')
    .argument('<name>', 'the layer')
    .requiredOption('--code <path>', 'folder or zip')
    .option('--runtime <id>', 'runtime that it is for (default: any); may be repeated', collect)
    .option('--description <text>', 'description')
    .action(async (name: string, flags: LayerFlags) => finish(await (await load()).publish(name, flags, deps)))
    .addHelpText('after', examples(['yunmen layer publish common --code ./layer --runtime python3.10']));
  withTarget(group.command('list'))
    .description('list the layers by their newest version')
    .action(async (flags: LayerFlags) => finish(await (await load()).list(flags, deps)))
    .addHelpText('after', examples(['yunmen layer list', 'yunmen layer list --json']));
  withTarget(group.command('delete'))
    .description('delete a version; functions that use it go on with it')
    .argument('<name>', 'the layer')
    .argument('<version>', 'its number')
    .action(async (name: string, version: string, flags: LayerFlags) =>
      finish(await (await load()).remove(name, version, flags, deps)),
    )
    .addHelpText('after', examples(['yunmen layer delete common 1']));
}

function addInvokeCommand(program: Command, deps: CliDeps, finish: Finish): void {
  withTarget(program.command('invoke'))
    .description('run a function alone and print what it returns')
    .argument('<name>', 'function, or service/function')
    .argument('[source]', '- reads the event from standard input')
    .option('--service <name>', 'the service that holds the function (FC 2)')
    .option('--event <text>', 'the event')
    .option('--event-file <file>', 'file that holds the event; - is standard input')
    .option('--log', "print the function's output to stderr")
    .option('--qualifier <name>', 'version or alias')
    .action(async (name: string, source: string | undefined, flags: InvokeFlags) => {
      const { invoke } = await import('./commands/invoke.ts');
      finish(await invoke(name, source, flags, deps));
    })
    .addHelpText(
      'after',
      examples([
        `yunmen invoke hello --event '{"name":"you"}'`,
        'yunmen invoke shop/cart --event-file event.json --log',
        'generate-event | yunmen invoke hello -',
      ]),
    );
}

function addExecCommand(program: Command, deps: CliDeps, finish: Finish): void {
  withTarget(program.command('exec'))
    .description('run a command, or a shell, in a running instance of a function')
    .argument('<name>', 'function, or service/function')
    .argument('[command...]', 'after --; without one: a shell')
    .option('--service <name>', 'the service that holds the function (FC 2)')
    .option('--qualifier <name>', 'version or alias')
    .option('--instance <id>', 'this one (default: the youngest)')
    .option('--no-tty', 'no terminal, though standard input and output are one')
    .action(async (name: string, command: string[], flags: ExecFlags) => {
      const { exec } = await import('./commands/exec.ts');
      finish(await exec(name, command, flags, deps));
    })
    .addHelpText(
      'after',
      `${examples(['yunmen exec hello', 'yunmen exec shop/cart -- ls -l /tmp', 'cat script.sh | yunmen exec hello -- sh'])}\nExit code: that of the command.\n`,
    );
}

function addCallCommand(program: Command, deps: CliDeps, finish: Finish): void {
  program
    .command('call')
    .description('call an API through the gateway, signed like an app')
    .argument('<method|address...>', '[METHOD] and a path (of the local server) or a whole address')
    .option('-d, --data <data>', 'form field name=value (may be repeated), or a raw body; @file reads a file', collect)
    .option('-H, --header <header>', "header 'Name: value'; may be repeated", collect)
    .option('--stage <stage>', 'RELEASE, PRE or TEST (default: RELEASE)')
    .option('--app-key <key>', "app to sign as (default: the dev project's)")
    .option('--app-secret <secret>', 'its secret; better in YUNMEN_APP_SECRET')
    .option('--anonymous', 'do not sign')
    .option('--host <host>', 'send this Host header')
    .option('--group <groupId>', 'call this group instead of the default one')
    .option('--print', 'print the exact request and its string to sign instead of sending it')
    .option('--data-dir <folder>', 'data dir of the local server (default: nearest .yunmen)')
    .addOption(json())
    .action(async (words: string[], flags: CallFlags) => {
      if (words.length > 2)
        program.error(`error: call takes [METHOD] and an address, not ${words.length} words`, {
          code: 'commander.excessArguments',
        });
      const { call } = await import('./commands/call.ts');
      finish(await call(words, flags, deps));
    })
    .addHelpText(
      'after',
      `${examples(['yunmen call POST /testadd -d a=12323 -d b=142', `yunmen call POST /orders -d '{"id":7}' --stage TEST`, 'yunmen call /testadd --print', 'yunmen call https://api.example.com/pets --app-key 203753385 --app-secret …'])}\nExit code 0 for a 2xx answer, else 1. The body goes to stdout, everything else to stderr.\n`,
    );
}

function addLogsCommand(program: Command, deps: CliDeps, finish: Finish): void {
  withTarget(program.command('logs'))
    .description('show the requests to the gateway and to the URLs of functions, and what functions print')
    .argument('[request-id]', 'only this one, and what was printed in it')
    .option('--api <id>', 'only requests: of this API')
    .option('--function <name>', 'to the URL or trigger of this function, or printed by it: name, or service/name')
    .option('--app <id>', 'only requests: of this app')
    .option('--status <status>', 'only requests: with this status, such as 404 or 5xx')
    .option('--since <time>', 'from 10m, 2h or 1d ago on, or from a time on')
    .option('--until <time>', 'before 10m, 2h or 1d ago, or before a time')
    .option('--limit <count>', 'the newest so many', '100')
    .option('-f, --follow', 'go on with those that come')
    .action(async (requestId: string | undefined, flags: LogsFlags) => {
      const { logOfRequest, logs } = await import('./commands/logs.ts');
      finish(await (requestId === undefined ? logs(flags, deps) : logOfRequest(requestId, flags, deps)));
    })
    .addHelpText(
      'after',
      examples([
        'yunmen logs --follow',
        'yunmen logs --status 5xx --since 1h --json',
        'yunmen logs --function shop/web',
      ]),
    );
}

function addWhyCommand(program: Command, deps: CliDeps, finish: Finish): void {
  withTarget(program.command('why'))
    .description('say why a request was answered with an error')
    .argument('<request-id>', 'the X-Ca-Request-Id of the answer')
    .action(async (requestId: string, flags: WhyFlags) => {
      const { why } = await import('./commands/why.ts');
      finish(await why(requestId, flags, deps));
    })
    .addHelpText(
      'after',
      examples([
        'yunmen why 1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF',
        'yunmen why 1B2C3D4E-5F60-4711-8899-AABBCCDDEEFF --json',
      ]),
    );
}

function addDoctorCommand(program: Command, deps: CliDeps, finish: Finish): void {
  program
    .command('doctor')
    .description('find out, by trying, how far functions can be kept apart here')
    .addOption(json())
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import('./commands/doctor.ts');
      finish(await doctor(flags, deps));
    })
    .addHelpText('after', examples(['yunmen doctor', 'yunmen doctor --json']));
}

function addImageCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const group = program.command('image').description('container images for functions of custom-container: fetch them');
  group.showHelpAfterError('(yunmen image --help lists the commands)');
  group
    .command('pull')
    .description('fetch an image from its registry and unpack it for start --image-dir')
    .argument('<reference>', 'such as registry.example/team/app:v1, or …@sha256:<digest>')
    .requiredOption('--image-dir <dir>', 'where it is unpacked')
    .option('--username <name>', 'for the registry (default: what docker login or podman login has kept)')
    .option('--password-stdin', 'read its password from standard input')
    .option('--replace', 'take away what the tag named here before; instances that run of it lose it')
    .addOption(json())
    .action(async (reference: string, flags: ImageFlags) => {
      const { pull } = await import('./commands/image.ts');
      finish(await pull(reference, flags, deps));
    })
    .addHelpText('after', examples(['yunmen image pull registry.example/team/app:v1 --image-dir ./images']));
}

function addRuntimeCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const group = program.command('runtime').description('what runs functions here: list it, fetch more, remove it');
  group.showHelpAfterError('(yunmen runtime --help lists the commands)');
  const load = () => import('./commands/runtime.ts');
  group
    .command('list')
    .description('what each runtime id really runs on')
    .addOption(json())
    .action(async (flags: RuntimeFlags) => finish(await (await load()).list(flags, deps)))
    .addHelpText('after', examples(['yunmen runtime list', 'yunmen runtime list --json']));
  group
    .command('add')
    .description('fetch the Node of a runtime id from npm; for other languages, name the package that brings them')
    .argument('<id>', 'such as nodejs16, or node@16.20.2')
    .option('--libraries', 'instead, install the libraries that the cloud preinstalls for this id')
    .option('--only <name>', 'of those only this one; may be repeated', collect)
    .addOption(json())
    .action(async (id: string, flags: RuntimeFlags) => finish(await (await load()).add(id, flags, deps)))
    .addHelpText(
      'after',
      examples([
        'yunmen runtime add nodejs16',
        'yunmen runtime add node@8.17.0',
        'yunmen runtime add nodejs12 --libraries --only co',
      ]),
    );
  group
    .command('remove')
    .description('remove what was fetched for a runtime id')
    .argument('<id>', 'such as nodejs16, or node@16.20.2')
    .addOption(json())
    .action(async (id: string, flags: RuntimeFlags) => finish(await (await load()).remove(id, flags, deps)))
    .addHelpText('after', examples(['yunmen runtime remove nodejs16']));
}

function addKeyCommands(program: Command, deps: CliDeps, finish: Finish): void {
  const group = program.command('key').description('make, list and stop the access keys that may call the APIs');
  group.showHelpAfterError('(yunmen key --help lists the commands)');
  const load = () => import('./commands/key.ts');
  withTarget(group.command('create'))
    .description('make a key; its secret is shown once')
    .option('--read-only', 'may only describe, get and list, and sees no secret')
    .action(async (flags: KeyFlags) => finish(await (await load()).create(flags, deps)))
    .addHelpText('after', examples(['yunmen key create', 'yunmen key create --read-only --json']));
  withTarget(group.command('list'))
    .description('list the keys, without their secrets')
    .action(async (flags: KeyFlags) => finish(await (await load()).list(flags, deps)))
    .addHelpText('after', examples(['yunmen key list', 'yunmen key list --json']));
  const named = (verb: string, description: string) =>
    withTarget(group.command(verb))
      .description(description)
      .argument('<access-key-id>', 'see yunmen key list')
      .addHelpText('after', examples([`yunmen key ${verb} LTAI5tExampleExample0000`]));
  named('disable', 'refuse the key until it is enabled; not for the root key').action(
    async (id: string, flags: KeyFlags) => finish(await (await load()).setEnabled(id, false, flags, deps)),
  );
  named('enable', 'accept the key again').action(async (id: string, flags: KeyFlags) =>
    finish(await (await load()).setEnabled(id, true, flags, deps)),
  );
  named('delete', 'delete the key for good; not for the root key').action(async (id: string, flags: KeyFlags) =>
    finish(await (await load()).remove(id, flags, deps)),
  );
}

function withTarget(command: Command): Command {
  return command
    .option('--data-dir <folder>', 'data dir of the local server (default: nearest .yunmen)')
    .option('--endpoint <url>', 'API address of a server elsewhere; needs a key')
    .option('--access-key-id <id>', 'key to sign with (default: the local server’s)')
    .option('--access-key-secret <secret>', 'its secret; better in YUNMEN_ACCESS_KEY_SECRET')
    .addOption(json());
}

function withServerFlags(command: Command): Command {
  const flags: readonly ServerFlag[] = serverFlags;
  for (const { name, value, help, shownDefault, isList } of flags) {
    const text = shownDefault === null ? help : `${help} (default: ${shownDefault})`;
    const option = new Option(value === null ? `--${name}` : `--${name} <${value}>`, text);
    if (isList) option.argParser((item, before?: string) => (before === undefined ? item : `${before},${item}`));
    command.addOption(option);
    if (value === null) command.addOption(new Option(`--no-${name}`).hideHelp());
  }
  return command.addOption(json());
}

/** Commander's camelCase names back to the names of the flags. */
function serveFlags(options: Readonly<Record<string, string | boolean>>): ServeFlags {
  const named = Object.fromEntries(
    serverFlags.flatMap(({ name }) => {
      const value = options[name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  return { ...named, json: options['json'] === true };
}

function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}\n`;
}
