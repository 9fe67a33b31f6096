/** Trains a small model on WebGPU and prints what came of it: a process of its own, since a failing device may end it. */
import { probeHalf } from '../../src/engine/half-probe.js';
import { NodeEngine } from '../../src/engine/node/engine.js';
import { type Lesson, learn } from '../browser/pages/lesson.js';

const lessons = JSON.parse(process.argv[2]!) as Lesson[];
const learned = [];
for (const lesson of lessons) {
  const engine = new NodeEngine('webgpu');
  const probe = lesson.half && (await probeHalf(engine, lesson.half));
  learned.push(probe && !probe.right ? { reason: probe.reason } : await learn(engine, lesson));
}
process.stdout.write(JSON.stringify(learned));
