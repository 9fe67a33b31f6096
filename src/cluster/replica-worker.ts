// The entry of a replica's thread (see replica-thread.ts).
import { ReplicaHost } from './replica-host.js';
import { serveThread } from './serve-thread.js';

serveThread(new ReplicaHost());
