// The entry of the thread of a model that is served (see served-model.ts).

import { serveThread } from '../../base/threads/serve.js';
import { CompletionThread } from './completion-thread.js';

serveThread(new CompletionThread());
