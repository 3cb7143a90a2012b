/**
 * The doors by which the system is seen from outside of the process. What is behind them is loaded when a
 * door is opened: a system that nobody looks at carries neither an HTTP server nor OpenTelemetry.
 */
import { SpillwayError } from '../errors.ts';
import type { HealthServer } from './health-server.ts';
import type { Inspection } from './inspection.ts';
import type { MetricsOptions } from './metrics.ts';
import { readinessOf, type ReadinessThresholds } from './readiness.ts';

export interface HealthOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Of the loopback interface. Default 127.0.0.1. */
  readonly host?: string;
  /** A Unix socket, instead of a port. */
  readonly socketPath?: string;
  /** What the system may show and still be ready. */
  readonly readiness?: Partial<ReadinessThresholds>;
  /** How many actors may have series of their own in the metrics. Default 200. */
  readonly actorSeriesMax?: number;
}

/**
 * Serves `/healthz`, `/readyz`, `/metrics` and `/inspect`.
 * @throws SpillwayError `health_invalid`, `health_not_local`, `health_address_in_use`, `health_listen_failed`
 */
export async function serveHealth(inspect: () => Inspection, options: HealthOptions = {}): Promise<HealthServer> {
  const { port, host, socketPath, readiness, actorSeriesMax } = options;
  if (socketPath !== undefined && (port !== undefined || host !== undefined)) {
    throw new SpillwayError('health_invalid', 'A health server listens on a port or on a socket; got both.');
  }
  const [{ startHealthServer }, { prometheusText }] = await Promise.all([import('./health-server.ts'), import('./prometheus.ts')]);
  return startHealthServer({
    listen: socketPath === undefined ? { port: port ?? 0, ...(host === undefined ? {} : { host }) } : { socketPath },
    inspect,
    readiness: () => readinessOf(inspect(), readiness),
    metrics: prometheusText({ inspect, ...(actorSeriesMax === undefined ? {} : { actorSeriesMax }) }),
  });
}

/**
 * Registers the system's instruments with OpenTelemetry. Register the application's provider first.
 * @returns takes them away again
 */
export async function registerMetrics(options: MetricsOptions): Promise<() => void> {
  const metrics = await import('./metrics.ts');
  return metrics.registerMetrics(options);
}
