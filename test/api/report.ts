/**
 * The package's public surface as text: one report of API Extractor for each export of package.json.
 *
 *     npm run api            write the reports into test/api/reports/
 *     npm run api:check      fail where they are not those of the code
 *
 * A change of the surface is thereby a change of a file, which a reader of the commit sees.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CompilerState, Extractor, ExtractorConfig, type IConfigFile } from '@microsoft/api-extractor';

const ROOT = path.join(import.meta.dirname, '../..');
const REPORTS = path.join(import.meta.dirname, 'reports');
/** Declarations of the code as it is; beside node_modules, so that their imports of packages are found. */
const WORK = path.join(ROOT, '.api', 'types');
const write = process.argv.includes('--write');

const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string } | string>>;
};

/** `./stores/db` → `stores.db`; `.` → `index` */
const reportName = (specifier: string): string => specifier.slice(2).replaceAll('/', '.') || 'index';

function configOf(specifier: string, types: string): ExtractorConfig {
  const config: IConfigFile = {
    projectFolder: ROOT,
    mainEntryPointFilePath: path.join(WORK, types.replace(/^\.\/dist\//, '')),
    compiler: {
      overrideTsconfig: {
        compilerOptions: {
          target: 'es2023',
          lib: ['es2023', 'es2024.string'],
          module: 'nodenext',
          moduleResolution: 'nodenext',
          strict: true,
          skipLibCheck: true,
          types: ['node'],
        },
        files: Object.values(entries).map((file) => path.join(WORK, file.replace(/^\.\/dist\//, ''))),
      },
    },
    apiReport: {
      enabled: true,
      reportFileName: reportName(specifier),
      reportFolder: REPORTS,
      reportTempFolder: path.join(WORK, 'reports'),
      includeForgottenExports: false,
    },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    messages: {
      compilerMessageReporting: { default: { logLevel: 'none' as never } },
      extractorMessageReporting: { default: { logLevel: 'none' as never } },
      tsdocMessageReporting: { default: { logLevel: 'none' as never } },
    },
  };
  return ExtractorConfig.prepare({
    configObject: config,
    configObjectFullPath: undefined,
    packageJsonFullPath: path.join(ROOT, 'package.json'),
  });
}

const entries: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(manifest.exports).flatMap(([specifier, target]) =>
    typeof target === 'string' ? [] : [[specifier, target.types]],
  ),
);

rmSync(WORK, { recursive: true, force: true });
mkdirSync(path.join(WORK, 'reports'), { recursive: true });
mkdirSync(REPORTS, { recursive: true });
execFileSync(
  path.join(ROOT, 'node_modules/.bin/tsc'),
  [
    '-p',
    'tsconfig.build.json',
    '--emitDeclarationOnly',
    '--sourceMap',
    'false',
    '--inlineSources',
    'false',
    '--outDir',
    WORK,
  ],
  { cwd: ROOT, stdio: 'inherit' },
);

const configs = Object.entries(entries).map(([specifier, types]) => configOf(specifier, types));
const [first] = configs;
if (first === undefined) throw new Error('package.json exports nothing');
const compilerState = CompilerState.create(first, {
  additionalEntryPoints: configs.map((config) => config.mainEntryPointFilePath),
});
const changed = configs.filter((config) => {
  const { apiReportChanged } = Extractor.invoke(config, {
    localBuild: write,
    compilerState,
    messageCallback: (message) => {
      message.handled = true;
    },
  });
  return apiReportChanged;
});

const expected = new Set(Object.keys(entries).map((specifier) => `${reportName(specifier)}.api.md`));
const stale = readdirSync(REPORTS).filter((file) => !expected.has(file));
if (write) for (const file of stale) rmSync(path.join(REPORTS, file));

if (!write && (changed.length > 0 || stale.length > 0)) {
  const names = [...changed.map(({ reportFilePath }) => path.basename(reportFilePath)), ...stale];
  console.error(`The public surface differs from test/api/reports/ (${names.join(', ')}).`);
  console.error('If that is meant, run "npm run api" and commit the reports with the change.');
  process.exitCode = 1;
}
