// The entry of a model's thread (see member-thread.ts).
import { serveThread } from '../../base/threads/serve.js';
import { CommittedModelThread } from './thread.js';

serveThread(new CommittedModelThread());
