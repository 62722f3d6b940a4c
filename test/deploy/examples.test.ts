/** Each example is accepted by the program that it is for. */

import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { OWN_SETTINGS } from '../../config/settings.js';
import { SETTINGS } from '../../server/settings.js';
import { databaseOfSuite } from '../support/database.js';
import { answering, freePort } from '../support/ports.js';
import { example, ROOT, run } from './examples.js';

const NAMES = new Set([...Object.keys(SETTINGS), ...Object.keys(OWN_SETTINGS)]);

describe('the examples', () => {
  let folder: string;
  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'koa-django-session-deploy-'));
    chmodSync(folder, 0o755);
    const subject = ['-subj', '/CN=localhost', '-days', '1', '-nodes', '-newkey', 'rsa:2048'];
    const pem = path.join(folder, 'site.pem');
    const { code, words } = await run('openssl', ['req', '-x509', ...subject, '-keyout', pem, '-out', `${pem}.crt`]);
    expect(code, words).to.equal(0);
    writeFileSync(pem, example(path.relative(ROOT, pem)) + example(path.relative(ROOT, `${pem}.crt`)));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const written = (name: string, content: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    return file;
  };

  it('haproxy.cfg: haproxy takes it', async () => {
    const config = example('config/deploy/haproxy.cfg', { '/etc/haproxy/site.pem': path.join(folder, 'site.pem') });
    const { code, words } = await run('haproxy', ['-c', '-f', written('haproxy.cfg', config)]);
    expect([code, words.replace(/^Configuration file is valid\s*/m, '')]).to.deep.equal([0, '']);
  });

  it('nginx.conf: nginx takes it', async () => {
    const site = example('config/deploy/nginx.conf', { '/etc/nginx/site.pem': path.join(folder, 'site.pem') });
    const around = `pid ${folder}/pid; error_log stderr; events {} http { access_log off; include ${written('site.conf', site)}; }`;
    const { code, words } = await run('nginx', ['-t', '-q', '-c', written('nginx.conf', around), '-p', folder]);
    expect([code, words]).to.deep.equal([0, '']);
  });

  it('koa-django-session.service: systemd takes it', async () => {
    const unit = example('config/deploy/koa-django-session.service', { '/usr/bin/node': process.execPath });
    const file = written('koa-django-session.service', unit);
    const { code, words } = await run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file]);
    expect([code, words]).to.deep.equal([0, '']);
    const names = [...unit.matchAll(/\b([A-Z][A-Z_]+)=\S/g)].map(([, name = '']) => name.replace(/_FILE$/, ''));
    expect(names).to.include('SHUTDOWN_GRACE');
    expect(names.filter((name) => !NAMES.has(name))).to.deep.equal([]);
  });

  it('compose.yaml: docker-compose takes it, with our settings in it and the order that it says', async () => {
    const own = { SECRET_KEY: 'secret', POSTGRES_PASSWORD: 'canary', ALLOWED_HOSTS: 'example.com' };
    // Debian's docker-compose is older than the name in the file.
    const file = written('compose.yaml', example('compose.yaml', { 'name: koa-django-session\n': '' }));
    const { code, words } = await run('docker-compose', ['-f', file, 'config'], { PATH: process.env['PATH'], ...own });
    expect(code, words).to.equal(0);
    expect(words).to.include('postgresql://koa:canary@postgres/koa').and.include('service_completed_successfully');
    const [, server = ''] = words.split(/^ {2}server:$/m);
    const [, environment = ''] = server.split(/^ {4}environment:\n/m);
    const names = [...environment.matchAll(/^ {6}([A-Z_]+):/gm)].map(([, name = '']) => name);
    expect(names).to.include('SECRET_KEY');
    expect(names.filter((name) => !NAMES.has(name))).to.deep.equal([]);
    const missing = await run('docker-compose', ['-f', file, 'config'], { PATH: process.env['PATH'] });
    expect(missing.code).to.equal(1);
    expect(missing.words).to.match(/mandatory/);
  });

  describe('pgbouncer.ini', () => {
    const database = databaseOfSuite();

    it('pgbouncer starts with it, and passes statements on', async () => {
      const { hostname, port: server, username, password, pathname } = new URL(database.url);
      const port = await freePort();
      const users = written('userlist.txt', `"${username}" "${decodeURIComponent(password)}"\n`);
      const config = example('config/deploy/pgbouncer.ini', {
        'koa = host=10.0.0.21 port=5432 dbname=koa': `koa = host=${hostname} port=${server} dbname=${pathname.slice(1)}`,
        'listen_port = 6432': `listen_port = ${port}\nunix_socket_dir =`,
        '/etc/pgbouncer/userlist.txt': users,
      });
      const file = written('pgbouncer.ini', config);
      const child = spawn('pgbouncer', [...(process.getuid?.() === 0 ? ['-u', 'nobody'] : []), file], {
        stdio: 'ignore',
      });
      try {
        await answering(child, port, 'pgbouncer is not installed: see install_packages in .ci/run.');
        const client = new pg.Client(
          `postgresql://${username}:${password}@127.0.0.1:${port}/koa?statement_timeout=1000`,
        );
        await client.connect();
        expect((await client.query('SELECT count(*)::int AS n FROM django_session')).rows).to.deep.equal([{ n: 0 }]);
        await client.end();
      } finally {
        child.kill('SIGKILL');
      }
    });
  });

  describe('Dockerfile', () => {
    const lines = example('Dockerfile').replaceAll('\\\n', '').split('\n');
    const words = (name: string): string[][] =>
      lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.split(/\s+/).slice(1));

    it('copies files that there are, and that .dockerignore lets through', () => {
      const let_through = new Set(
        example('.dockerignore')
          .split('\n')
          .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : [])),
      );
      const sources = words('COPY').flatMap((all) => (all[0]?.startsWith('--from') ? [] : all.slice(0, -1)));
      expect(sources).to.include('server/django');
      expect(sources.filter((source) => !existsSync(path.join(ROOT, source)))).to.deep.equal([]);
      expect(sources.filter((source) => !let_through.has(source.split('/')[0] ?? ''))).to.deep.equal([]);
    });

    it('ends as a user that is not root, with a health check and the server', () => {
      const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM ')));
      expect(last).to.include('USER node').and.include('CMD ["node", "dist/server/main.js"]');
      expect(last.join('\n')).to.match(/^HEALTHCHECK .*\/livez/m);
    });
  });
});
