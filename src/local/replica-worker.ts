// The entry of a replica's thread (see replica-thread.ts).

import { serveThread } from '../base/threads/serve.js';
import { ReplicaThread } from './replica.js';

serveThread(new ReplicaThread());
