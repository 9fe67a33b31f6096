// The entry of a model's thread (see member-thread.ts).
import { serveThread } from '../../serve-thread.js';
import { ModelHost } from './host.js';

serveThread(new ModelHost());
