export { trendPlot } from './plot.js';
export { trendsSvg } from './svg.js';
export { trendsTable } from './table.js';
export { type Trend, trends } from './trends.js';
