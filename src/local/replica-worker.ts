// The entry of a replica's thread (see replica-thread.ts).

import { serveThread } from '../base/threads/serve.js';
import { ReplicaHost } from './replica-host.js';

serveThread(new ReplicaHost());
