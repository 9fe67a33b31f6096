export { trendPlot } from './plot.js';
export { trendsSvg } from './svg.js';
export { trendsTable } from './table.js';
