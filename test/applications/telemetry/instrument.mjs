/** Loaded before the application: `node --import ./instrument.mjs app.mjs`. Spans are printed to standard error as JSON. */
import { KnexInstrumentation } from '@opentelemetry/instrumentation-knex';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

const exporter = {
  /**
   * @param {readonly import('@opentelemetry/sdk-trace-base').ReadableSpan[]} spans
   * @param {(result: { code: number }) => void} done
   */
  export(spans, done) {
    for (const { name, attributes, status, events, instrumentationScope } of spans) {
      console.error(JSON.stringify({ by: instrumentationScope.name, name, attributes, status, events }));
    }
    done({ code: 0 });
  },
  shutdown: async () => {},
};

const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
for (const instrumentation of [new PgInstrumentation(), new KnexInstrumentation()]) {
  instrumentation.setTracerProvider(provider);
  instrumentation.enable();
}
