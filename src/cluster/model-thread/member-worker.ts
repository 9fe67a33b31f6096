// The entry of a model's thread (see member-thread.ts).
import { serveThread } from '../../base/threads/serve.js';
import { MemberThread } from './thread.js';

serveThread(new MemberThread());
