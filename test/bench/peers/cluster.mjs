/** Runs one of the servers in several processes behind one port: `node cluster.mjs FILE PROCESSES`. */
import cluster from 'node:cluster';

const [file, processes] = process.argv.slice(2);
if (cluster.isPrimary) {
  for (let n = 0; n < Number(processes); n++) cluster.fork();
  process.on('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
    cluster.on('exit', () => {
      if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0);
    });
  });
} else {
  await import(file);
}
