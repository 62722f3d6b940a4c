#!/usr/bin/env node
/** `koa-django-session COMMAND`: runs a command with its arguments, and sets the exit code. */
import { parseArgs } from 'node:util';
import { inOneSentence } from '../db/sentences.js';
import { type Arguments, type Command, EXIT, type ExitCode, print, printError, UsageError } from './command.js';

const NAME = 'koa-django-session';

/** In the order of the help text. Each is imported when called, because some load many modules. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  serve: () => import('./serve.js'),
  migrate: () => import('./migrate.js'),
  'migrate:status': () => import('./migrate_status.js'),
  'migrate:rollback': () => import('./migrate_rollback.js'),
  createuser: () => import('./createuser.js'),
  clearsessions: () => import('./clearsessions.js'),
  inspect: () => import('./inspect.js'),
  'sessions list': () => import('./sessions/list.js'),
  'sessions revoke': () => import('./sessions/revoke.js'),
  'sessions stats': () => import('./sessions/stats.js'),
  doctor: () => import('./doctor/index.js'),
  'django-engine': () => import('./django_engine.js'),
};

const HELP = { type: 'boolean', short: 'h', help: 'Show this text.' } as const;

async function overview(): Promise<string> {
  const lines: string[] = [];
  for (const [name, load] of Object.entries(COMMANDS)) {
    lines.push(`  ${name.padEnd(18)}${(await load()).command.summary}`);
  }
  return `Usage: ${NAME} COMMAND [OPTIONS]

Django's sessions on Koa. The database is DATABASE_URL's, or the server's own.

${lines.join('\n')}

Each command has --help. Exit codes: 0 success, 1 failure, 2 wrong usage.`;
}

function usage(name: string, { summary, details, options = {}, positionals = [] }: Command): string {
  const lines = Object.entries({ ...options, help: HELP }).map(([long, option]) => {
    const short = option.short === undefined ? '    ' : `-${option.short}, `;
    const value = 'value' in option && option.value !== undefined ? ` ${option.value}` : '';
    return `  ${`${short}--${long}${value}`.padEnd(24)}${option.help}`;
  });
  return [
    `Usage: ${[NAME, name, ...positionals, '[OPTIONS]'].join(' ')}`,
    summary,
    ...(details === undefined ? [] : [details]),
    lines.join('\n'),
  ].join('\n\n');
}

function read(command: Command, argv: readonly string[]): Arguments {
  const { options = {}, positionals = [] } = command;
  const known = Object.entries({ ...options, help: HELP }).map(([name, { type, short }]) => [
    name,
    short === undefined ? { type } : { type, short },
  ]);
  try {
    const given = parseArgs({ args: [...argv], options: Object.fromEntries(known), allowPositionals: true });
    const values = given.values as Arguments['values'];
    if (values['help'] === true) return { values, positionals: [] };
    const missing = positionals[given.positionals.length];
    if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
    const extra = given.positionals[positionals.length];
    if (extra !== undefined) throw new UsageError(`"${extra}" is one word too many.`);
    return { values, positionals: given.positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new UsageError(`${sentence.replace(/\.$/, '')}.`);
  }
}

/** The command's name, of two words if there is such a command. */
function commandIn(argv: readonly string[]): readonly string[] {
  const [first, second, ...rest] = argv;
  const both = `${first} ${second}`;
  return Object.hasOwn(COMMANDS, both) ? [both, ...rest] : argv;
}

function unknown(name: string): string {
  const longer = Object.keys(COMMANDS).filter((known) => known.startsWith(`${name} `));
  return longer.length === 0
    ? `There is no command "${name}".`
    : `"${name}" alone is no command. There are: ${longer.join(', ')}.`;
}

/** Run a command line, without the program's name. Never rejects. */
async function main(argv: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = commandIn(argv);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    print(await overview());
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (load === undefined) throw new UsageError(unknown(name));
    const { command } = await load();
    const given = read(command, rest);
    if (given.values['help'] === true) {
      print(usage(name, command));
      return EXIT.ok;
    }
    return await command.run(given);
  } catch (error) {
    if (error instanceof UsageError) {
      printError(`${error.message} Try: ${NAME} ${load === undefined ? '' : `${name} `}--help`);
      return EXIT.usage;
    }
    printError(inOneSentence(error));
    return EXIT.failed;
  }
}

// The reader of a pipe, such as `head`, may have exited: the command continues.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exitCode = await main(process.argv.slice(2));
// pg does not close a connection whose login timed out; PostgreSQL ends it after a minute.
setTimeout(() => process.exit(), 1000).unref();
