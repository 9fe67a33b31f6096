export { type ClusterMetrics, createClusterMetrics } from './metrics.js';
export { type MetricsServer, serveMetrics } from './server.js';
