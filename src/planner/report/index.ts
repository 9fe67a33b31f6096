export { arrangementText } from './arrangement.js';
export { page, planPage } from './page.js';
export { estimatesOf, MEMORY_PARTS, TIME_PARTS } from './parts.js';
export { bits, bytes, dollars, percent, quantity, range, time } from './units.js';
