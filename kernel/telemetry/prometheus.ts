/**
 * The metrics as Prometheus text, for the edge of the system: the one place where OpenTelemetry's SDK and
 * its Prometheus serializer are loaded, when the first text is asked for. No port is opened here.
 *
 * Each text comes from a provider of its own. All counts live in shared memory, so a provider has nothing
 * to remember; one that is kept would go on to report the last level of actors that have long gone.
 */
import { ActorSeriesChoice } from './actor-series.ts';
import type { Inspection } from './inspection.ts';

export interface PrometheusOptions {
  readonly inspect: () => Inspection;
  /** How many actors may have series of their own. Default: 200. */
  readonly actorSeriesMax?: number;
}

/** The media type of Prometheus' text format. */
export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * @returns renders the metrics as they are when it is called; it rejects with what `inspect` throws
 */
export function prometheusText(options: PrometheusOptions): () => Promise<string> {
  const actors = new ActorSeriesChoice(options.actorSeriesMax);
  let rendering: Promise<(inspection: Inspection, actors: ActorSeriesChoice) => Promise<string>> | undefined;
  return async () => {
    rendering ??= loadRendering();
    const render = await rendering;
    return render(options.inspect(), actors);
  };
}

async function loadRendering(): Promise<(inspection: Inspection, actors: ActorSeriesChoice) => Promise<string>> {
  const [sdk, { PrometheusSerializer }, { registerMetrics }, { laneLatencyHistogram }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/exporter-prometheus'),
    import('./metrics.ts'),
    import('./latency-metric.ts'),
  ]);

  /** Collects when it is told to, and has nothing to flush or to shut down. */
  class ManualReader extends sdk.MetricReader {
    protected override onForceFlush(): Promise<void> {
      return Promise.resolve();
    }

    protected override onShutdown(): Promise<void> {
      return Promise.resolve();
    }
  }

  return async (inspection, actors) => {
    const reader = new ManualReader();
    const provider = new sdk.MeterProvider({ readers: [reader] });
    registerMetrics({ inspect: () => inspection, meter: provider.getMeter('spillway'), actors });
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw new AggregateError(errors, 'The metrics could not be collected.');
    const [scope] = resourceMetrics.scopeMetrics;
    scope?.metrics.push(laneLatencyHistogram(inspection));
    return new PrometheusSerializer(undefined, false, undefined, true, true).serialize(resourceMetrics);
  };
}
