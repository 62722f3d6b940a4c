import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { migrate, migrationStatus } from '../../server/db/migrate.js';
import { MigrationSource } from '../../server/db/migrations.js';
import { emptyDatabase, type TestDatabase } from '../support/database.js';
import { compiled } from '../support/programs.js';

const run = promisify(execFile);
const KNEX = path.resolve('node_modules/knex/bin/cli.js');

describe('MigrationSource', function () {
  this.timeout(180_000);

  it('lists every file of migrations/, without extension, in order', async () => {
    const files = readdirSync('migrations').sort();
    expect(await new MigrationSource().getMigrations()).to.deep.equal(files.map((file) => path.basename(file, '.ts')));
  });

  it('has an up and a down for each', async () => {
    const source = new MigrationSource();
    for (const name of await source.getMigrations()) {
      const migration = await source.getMigration(source.getMigrationName(name));
      expect([typeof migration.up, typeof migration.down], name).to.deep.equal(['function', 'function']);
    }
  });

  describe('through knex’s own command line', () => {
    let database: TestDatabase;

    beforeEach(async () => {
      database = await emptyDatabase();
    });
    afterEach(() => database.drop());

    const knex = async (knexfile: string, command: string, ...node: string[]): Promise<string> => {
      const { stdout } = await run(process.execPath, [...node, KNEX, command, '--knexfile', knexfile], {
        env: { ...process.env, DATABASE_URL: database.url, NODE_ENV: 'development' },
      });
      return stdout;
    };

    it('runs from the sources and from the build, on one history', async () => {
      const names = await new MigrationSource().getMigrations();
      expect(await knex('config/knexfile.ts', 'migrate:latest', '--import', 'tsx')).to.include(
        `Batch 1 run: ${names.length} migrations`,
      );
      expect(await migrationStatus(database.knex)).to.deep.equal({ applied: names, pending: [] });
      expect(await migrate(database.knex)).to.deep.equal([]);

      const knexfile = compiled('config/knexfile.ts');
      const listed = await knex(knexfile, 'migrate:list');
      for (const name of names) expect(listed).to.include(name);
      expect(listed).to.include('No Pending Migration');
      await database.knex('koa_goods').del();
      expect(await knex(knexfile, 'migrate:rollback')).to.include(`Batch 1 rolled back: ${names.length} migrations`);
    });
  });
});

describe('the goods', () => {
  let database: TestDatabase;

  before(async () => {
    database = await emptyDatabase();
    await migrate(database.knex);
  });
  after(() => database.drop());

  it('are a dozen, each with names, descriptions, a price, and a picture', async () => {
    const goods = await database.knex('koa_goods').orderBy('id');
    expect(goods.map((good: { id: number }) => good.id)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    for (const good of goods) {
      expect(Object.keys(good as object)).to.deep.equal([
        'id',
        'name_en',
        'name_zh',
        'description_en',
        'description_zh',
        'price_cents',
        'svg',
      ]);
      expect(good.name_zh).to.match(/\p{Script=Han}/u);
      expect(good.price_cents).to.be.greaterThan(0);
    }
  });

  it('have pictures that a strict Content-Security-Policy lets through', async () => {
    for (const svg of await database.knex('koa_goods').pluck<string[]>('svg')) {
      expect(svg).to.match(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 200 200"/);
      expect(svg).not.to.match(/<script|<style|\sstyle=|\son\w+=|href=|url\(|<foreignObject|<image/i);
      const names = [...svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)];
      const open = names.filter(([, close, , self]) => close === '' && self === '').map(([, , name]) => name);
      const closed = names.filter(([, close]) => close === '/').map(([, , name]) => name);
      expect(open.sort()).to.deep.equal(closed.sort());
    }
  });
});
